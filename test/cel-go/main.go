// Evaluates expressions with cel-go. The first line of the input is a JSON object of variables; every other line is an expression
// as a JSON string. Each expression is answered by one line: its value, or "error: …".
package main

import (
	"bufio"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"math"
	"os"
	"sort"
	"strconv"
	"strings"
	"time"

	"github.com/google/cel-go/cel"
	"github.com/google/cel-go/common/types"
	"github.com/google/cel-go/common/types/ref"
	"github.com/google/cel-go/common/types/traits"
	"github.com/google/cel-go/ext"
)

func main() {
	in := bufio.NewReaderSize(os.Stdin, 1<<20)
	out := bufio.NewWriter(os.Stdout)
	defer out.Flush()
	var variables map[string]any
	decoder := json.NewDecoder(strings.NewReader(readLine(in)))
	decoder.UseNumber()
	if err := decoder.Decode(&variables); err != nil {
		panic(err)
	}
	options := []cel.EnvOption{ext.Strings(), ext.Lists(), ext.Math()}
	for name, value := range variables {
		options = append(options, cel.Variable(name, cel.DynType))
		variables[name] = toNative(value)
	}
	env, err := cel.NewEnv(options...)
	if err != nil {
		panic(err)
	}
	for line := readLine(in); line != ""; line = readLine(in) {
		var source string
		if err := json.Unmarshal([]byte(line), &source); err != nil {
			panic(err)
		}
		fmt.Fprintln(out, evaluate(env, source, variables))
		out.Flush()
	}
}

func readLine(in *bufio.Reader) string {
	line, _ := in.ReadString('\n')
	return strings.TrimRight(line, "\n")
}

// evaluate skips the type check: expressions of flows are not checked either.
func evaluate(env *cel.Env, source string, variables map[string]any) string {
	ast, issues := env.Parse(source)
	if issues.Err() != nil {
		return oneLine(issues.Err())
	}
	program, err := env.Program(ast)
	if err != nil {
		return oneLine(err)
	}
	value, _, err := program.Eval(variables)
	if err != nil {
		return oneLine(err)
	}
	return show(value)
}

func oneLine(err error) string {
	return "error: " + strings.Join(strings.Fields(err.Error()), " ")
}

// toNative makes whole numbers ints.
func toNative(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = toNative(v[i])
		}
	case map[string]any:
		for key := range v {
			v[key] = toNative(v[key])
		}
	}
	return value
}

func show(value ref.Val) string {
	switch v := value.(type) {
	case types.Null:
		return "null"
	case types.Bool:
		return strconv.FormatBool(bool(v))
	case types.Int:
		return "i" + strconv.FormatInt(int64(v), 10)
	case types.Uint:
		return "u" + strconv.FormatUint(uint64(v), 10)
	case types.Double:
		if math.IsNaN(float64(v)) {
			return "dNaN"
		}
		return "d" + strconv.FormatUint(math.Float64bits(float64(v)), 16)
	case types.String:
		return "s" + hex.EncodeToString([]byte(v))
	case types.Bytes:
		return "b" + hex.EncodeToString(v)
	case types.Timestamp:
		return fmt.Sprintf("t%d.%09d", v.Unix(), v.Nanosecond())
	case types.Duration:
		return fmt.Sprintf("D%d", time.Duration(v.Duration).Nanoseconds())
	case traits.Mapper:
		var entries []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			key := it.Next()
			entries = append(entries, show(key)+":"+show(v.Get(key)))
		}
		sort.Strings(entries)
		return "{" + strings.Join(entries, ",") + "}"
	case traits.Lister:
		var elements []string
		for it := v.Iterator(); it.HasNext() == types.True; {
			elements = append(elements, show(it.Next()))
		}
		return "[" + strings.Join(elements, ",") + "]"
	case *types.Type:
		return "T" + v.TypeName()
	default:
		return "error: " + fmt.Sprint(value)
	}
}
