// Registers a flow, starts it, watches it to its end and asks for one that is missing, with the generated client.
// Arguments: the file of the flow. ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints one line of JSON.
package main

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"log"
	"os"
	"time"

	"google.golang.org/genproto/googleapis/rpc/errdetails"
	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	orchestratorv1 "orchestrator.internal/client/v1"
)

type report struct {
	Flow    string          `json:"flow"`
	Frames  []string        `json:"frames"`
	State   string          `json:"state"`
	Output  json.RawMessage `json:"output"`
	Code    string          `json:"code"`
	Reason  string          `json:"reason"`
	Waited  string          `json:"waited"`
	Ordered bool            `json:"ordered"`
}

func main() {
	if err := check(); err != nil {
		log.Fatal(err)
	}
}

func check() error {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	conn, err := grpc.NewClient(os.Getenv("ORCHESTRATOR_TEST_ADDR"), grpc.WithTransportCredentials(insecure.NewCredentials()))
	if err != nil {
		return err
	}
	defer conn.Close()
	runs := orchestratorv1.NewRunServiceClient(conn)
	var out report

	source, err := os.ReadFile(os.Args[1])
	if err != nil {
		return err
	}
	registered, err := orchestratorv1.NewFlowServiceClient(conn).RegisterFlow(ctx, &orchestratorv1.RegisterFlowRequest{
		Definition: &orchestratorv1.RegisterFlowRequest_Source{Source: string(source)},
	})
	if err != nil {
		return fmt.Errorf("register: %w", err)
	}
	out.Flow = registered.GetFlow().GetFlowId() + "@" + registered.GetFlow().GetVersion()

	input := &orchestratorv1.StartRunRequest_InputJson{InputJson: []byte(`{"count": 21}`)}
	started, err := runs.StartRun(ctx, &orchestratorv1.StartRunRequest{FlowId: "client-check", InputValue: input})
	if err != nil {
		return fmt.Errorf("start: %w", err)
	}
	if err := watch(ctx, runs, started.GetRun().GetRunId(), &out); err != nil {
		return fmt.Errorf("watch: %w", err)
	}

	waited, err := runs.StartRun(ctx, &orchestratorv1.StartRunRequest{
		FlowId: "client-check", InputValue: input, Wait: durationpb.New(20 * time.Second),
	})
	if err != nil {
		return fmt.Errorf("start and wait: %w", err)
	}
	out.Waited = waited.GetRun().GetState().String()

	_, err = runs.StartRun(ctx, &orchestratorv1.StartRunRequest{FlowId: "missing"})
	out.Code = status.Code(err).String()
	for _, detail := range status.Convert(err).Details() {
		if info, ok := detail.(*errdetails.ErrorInfo); ok {
			out.Reason = info.GetReason()
		}
	}
	return json.NewEncoder(os.Stdout).Encode(out)
}

func watch(ctx context.Context, runs orchestratorv1.RunServiceClient, runID string, out *report) error {
	stream, err := runs.WatchRun(ctx, &orchestratorv1.WatchRunRequest{RunId: runID})
	if err != nil {
		return err
	}
	last := int32(0)
	out.Ordered = true
	for {
		frame, err := stream.Recv()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		switch frame := frame.GetFrame().(type) {
		case *orchestratorv1.WatchRunResponse_Snapshot:
			out.Frames = append(out.Frames, "snapshot")
			last = frame.Snapshot.GetRun().GetSequence()
		case *orchestratorv1.WatchRunResponse_Event:
			out.Frames = append(out.Frames, "event")
			out.Ordered = out.Ordered && (!frame.Event.GetDurable() || frame.Event.GetSequence() == last+1)
			last = frame.Event.GetSequence()
		case *orchestratorv1.WatchRunResponse_End:
			out.Frames = append(out.Frames, "end")
			out.State = frame.End.GetRun().GetState().String()
			// The answer carries the readable form when no read mask names another one.
			out.Output, err = frame.End.GetRun().GetOutput().MarshalJSON()
			if err != nil {
				return err
			}
		}
	}
}
