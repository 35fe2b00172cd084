// Another package of this process owns a file health/v1/health.proto: the client must not collide with it.
package main

import (
	"fmt"
	"log"

	"google.golang.org/protobuf/proto"
	"google.golang.org/protobuf/reflect/protodesc"
	"google.golang.org/protobuf/reflect/protoregistry"
	"google.golang.org/protobuf/types/descriptorpb"
	healthv1 "orchestrator.internal/client/health/v1"
	infov1 "orchestrator.internal/client/info/v1"
	orchestratorv1 "orchestrator.internal/client/v1"
)

func main() {
	file, err := protodesc.NewFile(&descriptorpb.FileDescriptorProto{
		Name:    proto.String("health/v1/health.proto"),
		Package: proto.String("health.v1"),
		MessageType: []*descriptorpb.DescriptorProto{
			{Name: proto.String("HealthCheckRequest")},
		},
	}, protoregistry.GlobalFiles)
	if err != nil {
		log.Fatal(err)
	}
	if err := protoregistry.GlobalFiles.RegisterFile(file); err != nil {
		log.Fatal(err)
	}
	for _, message := range []proto.Message{&healthv1.HealthCheckRequest{}, &infov1.GetInfoRequest{}, &orchestratorv1.Run{}} {
		fmt.Println(message.ProtoReflect().Descriptor().FullName())
	}
}
