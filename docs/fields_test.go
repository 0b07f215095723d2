package docs

import (
	"go/ast"
	"reflect"
	"strings"
)

// member is a field of a message as a reader in another language needs it.
type member struct {
	goName, name, typ, doc string
	optional               bool
	inner                  string // the struct that it holds, if any
}

// fields are a struct's fields, with the names that travel and the comments of the source.
func fields(files []*ast.File, name string) (list []member) {
	st := findStruct(files, name)
	if st == nil {
		return nil
	}
	for _, f := range st.Fields.List {
		m := member{goName: f.Names[0].Name, doc: comment(f.Comment, f.Doc)}
		m.typ, m.inner = typeName(files, f.Type)
		if f.Tag != nil {
			tag := reflect.StructTag(strings.Trim(f.Tag.Value, "`")).Get("sync")
			m.name, m.optional = strings.TrimSuffix(tag, ",omitempty"), strings.HasSuffix(tag, ",omitempty")
		}
		list = append(list, m)
	}
	return list
}

func findStruct(files []*ast.File, name string) *ast.StructType {
	for _, f := range files {
		for _, d := range f.Decls {
			g, ok := d.(*ast.GenDecl)
			if !ok {
				continue
			}
			for _, s := range g.Specs {
				if t, ok := s.(*ast.TypeSpec); ok && t.Name.Name == name {
					st, _ := t.Type.(*ast.StructType)
					return st
				}
			}
		}
	}
	return nil
}

// typeName is a type in the words of the data model.
func typeName(files []*ast.File, e ast.Expr) (typ, inner string) {
	switch t := e.(type) {
	case *ast.StarExpr:
		typ, inner = typeName(files, t.X)
		return typ + " or null", inner
	case *ast.ArrayType:
		if e, ok := t.Elt.(*ast.Ident); ok && e.Name == "byte" {
			return "bytes", ""
		}
		typ, inner = typeName(files, t.Elt)
		return "list of " + typ, inner
	case *ast.Ident:
		switch {
		case t.Name == "bool":
			return "boolean", ""
		case t.Name == "string" || t.Name == "Code":
			return "text", ""
		case t.Name == "Value":
			return "any value", ""
		case strings.Contains(t.Name, "int"):
			return "integer (" + intName(t.Name) + ")", ""
		case findStruct(files, t.Name) != nil:
			return "map " + t.Name, t.Name
		}
	}
	return "?", ""
}

// intName is the width that travels: Go's int has 64 bits here.
func intName(name string) string {
	if name == "int" {
		return "int64"
	}
	return name
}

func structTable(files []*ast.File, name string) string {
	s := "| Field | Type | Meaning |\n|---|---|---|\n"
	for _, m := range fields(files, name) {
		doc := m.doc
		if m.optional {
			doc = strings.TrimSpace("optional. " + doc)
		}
		s += "| `" + m.name + "` | " + m.typ + " | " + doc + " |\n"
	}
	return s
}

func structTables(files []*ast.File, names ...string) string {
	s := ""
	for _, name := range names {
		s += "#### " + name + "\n\n" + structTable(files, name) + "\n"
	}
	return s
}

// structTree is a struct's table and those of every struct below it, each once.
func structTree(files []*ast.File, root string) string {
	names := []string{root}
	for i := 0; i < len(names); i++ {
		for _, m := range fields(files, names[i]) {
			known := m.inner == ""
			for _, n := range names {
				known = known || n == m.inner
			}
			if !known {
				names = append(names, m.inner)
			}
		}
	}
	return structTables(files, names...)
}
