// Makes the calls that it reads as lines of JSON, {"method": "RunService/GetRun", "request": {…}}, with the messages of
// the generated client, and prints the answer of each as a line: {"code": "OK", "answer": {…}}.
//
// ORCHESTRATOR_TEST_ADDR: host and port of the service.
package main

import (
	"bufio"
	"context"
	"encoding/json"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/encoding/protojson"
	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protoreflect"
	"google.golang.org/protobuf/reflect/protoregistry"
	v1 "orchestrator.internal/client/v1"
)

type order struct {
	Method  string          `json:"method"`
	Request json.RawMessage `json:"request"`
}

type outcome struct {
	Code   string          `json:"code"`
	Answer json.RawMessage `json:"answer,omitempty"`
}

// A message of the generated client by its full name.
func newMessage(name protoreflect.FullName) proto.Message {
	kind, err := protoregistry.GlobalTypes.FindMessageByName(name)
	if err != nil {
		log.Fatal(err)
	}
	return kind.New().Interface()
}

func call(ctx context.Context, connection *grpc.ClientConn, asked order) outcome {
	name := "orchestrator.v1." + strings.Replace(asked.Method, "/", ".", 1)
	found, err := protoregistry.GlobalFiles.FindDescriptorByName(protoreflect.FullName(name))
	if err != nil {
		log.Fatal(err)
	}
	method := found.(protoreflect.MethodDescriptor)
	request, answer := newMessage(method.Input().FullName()), newMessage(method.Output().FullName())
	if err := protojson.Unmarshal(asked.Request, request); err != nil {
		log.Fatalf("%s: %v", asked.Method, err)
	}
	ctx, cancel := context.WithTimeout(ctx, 40*time.Second)
	defer cancel()
	if err := connection.Invoke(ctx, "/orchestrator.v1."+asked.Method, request, answer); err != nil {
		return outcome{Code: status.Code(err).String()}
	}
	text, err := protojson.MarshalOptions{UseProtoNames: true}.Marshal(answer)
	if err != nil {
		log.Fatal(err)
	}
	return outcome{Code: "OK", Answer: text}
}

func main() {
	_ = v1.File_orchestrator_v1_run_service_proto
	address := os.Getenv("ORCHESTRATOR_TEST_ADDR")
	connection, err := grpc.NewClient(address, grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		log.Fatal(err)
	}
	defer connection.Close()
	lines := bufio.NewScanner(os.Stdin)
	lines.Buffer(nil, 1<<20)
	answers := json.NewEncoder(os.Stdout)
	for lines.Scan() {
		var asked order
		if err := json.Unmarshal(lines.Bytes(), &asked); err != nil {
			log.Fatal(err)
		}
		if err := answers.Encode(call(context.Background(), connection, asked)); err != nil {
			log.Fatal(err)
		}
	}
}
