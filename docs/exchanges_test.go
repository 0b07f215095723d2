package docs

import (
	"go/ast"
	"strconv"
	"strings"
)

// exchange is a message as package container declares it: a request's name with the types that it and its reply carry.
type exchange struct{ request, arg, reply string }

// exchanges are the package's values of the type syncproto.Exchange, in the order of the source.
func exchanges(files []*ast.File) (list []exchange) {
	for _, f := range files {
		ast.Inspect(f, func(n ast.Node) bool {
			lit, ok := n.(*ast.CompositeLit)
			if !ok {
				return true
			}
			typ, ok := lit.Type.(*ast.IndexListExpr)
			if !ok || len(typ.Indices) != 2 {
				return true
			}
			if sel, ok := typ.X.(*ast.SelectorExpr); !ok || sel.Sel.Name != "Exchange" {
				return true
			}
			list = append(list, exchange{requestName(lit), bodyType(typ.Indices[0]), bodyType(typ.Indices[1])})
			return false
		})
	}
	return list
}

// requestName is the name in the literal's row.
func requestName(lit *ast.CompositeLit) (name string) {
	ast.Inspect(lit, func(n ast.Node) bool {
		kv, ok := n.(*ast.KeyValueExpr)
		if !ok {
			return true
		}
		value, literal := kv.Value.(*ast.BasicLit)
		if key, ok := kv.Key.(*ast.Ident); ok && key.Name == "Request" && literal {
			name, _ = strconv.Unquote(value.Value)
		}
		return true
	})
	return name
}

// bodyType returns the document's name for a type of package container, or the empty string for none.
func bodyType(e ast.Expr) string {
	if id, ok := e.(*ast.Ident); ok {
		return id.Name
	}
	return ""
}

func typeOrNull(typ string) string {
	if typ == "" {
		return "null"
	}
	return "[" + typ + "](#" + strings.ToLower(typ) + ")"
}

// bodyTables are the tables of all the types that the exchanges carry, each once.
func bodyTables(files []*ast.File, all []exchange) string {
	var names []string
	for _, x := range all {
		for _, name := range [...]string{x.arg, x.reply} {
			if name != "" && !strings.Contains(" "+strings.Join(names, " ")+" ", " "+name+" ") {
				names = append(names, name)
			}
		}
	}
	return structTables(files, names...)
}
