package main

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"strings"
	"time"
)

// vulnerabilities runs govulncheck if its database can be reached. It does not fail on a machine without that
// network, but its line then says that nothing was checked.
func vulnerabilities() (verdict, string) {
	database := os.Getenv("GOVULNDB")
	if database == "" {
		database = "https://vuln.go.dev"
	}
	if strings.HasPrefix(database, "http") {
		if err := reachable(database + "/index/db.json"); err != nil {
			return skipped, fmt.Sprintf("database not reachable, nothing was checked: %v", err)
		}
	}
	return command("go", "tool", tools, "govulncheck", "-db", database, "./...")()
}

func reachable(url string) error {
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodHead, url, nil)
	if err != nil {
		return err
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return err
	}
	response.Body.Close()
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s answers %s", url, response.Status)
	}
	return nil
}
