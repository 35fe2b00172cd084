// Starts an order and prints what came of it. Arguments: the flow, the card. ORCHESTRATOR_SERVER: host and port of the
// service.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/protobuf/types/known/durationpb"
	orchestratorv1 "orchestrator.internal/client/v1"
)

func main() {
	if err := start(os.Args[1], os.Args[2]); err != nil {
		log.Fatal(err)
	}
}

func start(flow, card string) error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	connection, err := grpc.NewClient(os.Getenv("ORCHESTRATOR_SERVER"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer connection.Close()
	source, err := os.ReadFile(flow)
	if err != nil {
		return err
	}
	_, err = orchestratorv1.NewFlowServiceClient(connection).RegisterFlow(ctx, &orchestratorv1.RegisterFlowRequest{
		Definition: &orchestratorv1.RegisterFlowRequest_Source{Source: string(source)},
	})
	if err != nil {
		return err
	}
	input, err := json.Marshal(map[string]any{"items": []map[string]int{{"price": 10, "count": 2}}, "card": card})
	if err != nil {
		return err
	}
	answer, err := orchestratorv1.NewRunServiceClient(connection).StartRun(ctx, &orchestratorv1.StartRunRequest{
		FlowId:     "worker-order",
		InputValue: &orchestratorv1.StartRunRequest_InputJson{InputJson: input},
		Wait:       durationpb.New(30 * time.Second),
	})
	if err != nil {
		return err
	}
	if problem := answer.GetRun().GetError(); problem != nil {
		fmt.Printf("%s: %s\n", problem.GetType(), problem.GetMessage())
		return nil
	}
	output, err := json.Marshal(answer.GetRun().GetOutput().AsInterface())
	fmt.Println(string(output))
	return err
}
