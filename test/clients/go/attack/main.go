// A worker that does what no worker should: it reports twice, late, with tokens that it made up or got elsewhere, never
// reads what it is sent, opens a thousand streams, says too much, and hangs up in the middle of a report.
//
// ORCHESTRATOR_TEST_ADDR: host and port of the service, which has the flow `attacked` with a task for the handler
// `attacked`; ORCHESTRATOR_TEST_OTHER: those of another service with the same flow. Prints a line for each attack: its
// name, and what it came to.
package main

import (
	"context"
	"encoding/json"
	"fmt"
	"log"
	"os"
	"strings"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/credentials/insecure"
	"google.golang.org/grpc/status"
	"google.golang.org/protobuf/types/known/durationpb"
	v1 "orchestrator.internal/client/v1"
)

const handler = "attacked"

// service is a connection to a service.
type service struct {
	runs    v1.RunServiceClient
	workers v1.WorkerServiceClient
}

// worker is a session, and the tasks that it is sent.
type worker struct {
	service
	session string
	tasks   chan *v1.WorkerTask
	leave   context.CancelFunc
}

func main() {
	ctx, cancel := context.WithTimeout(context.Background(), 3*time.Minute)
	defer cancel()
	address := os.Getenv("ORCHESTRATOR_TEST_ADDR")
	here, there := connect(address), connect(os.Getenv("ORCHESTRATOR_TEST_OTHER"))
	attacks := []struct {
		name   string
		attack func() []string
	}{
		{"double", func() []string { return double(ctx, here) }},
		{"late", func() []string { return late(ctx, here) }},
		{"forged", func() []string { return forged(ctx, here) }},
		{"foreign", func() []string { return foreign(ctx, here, there) }},
		{"wrong session", func() []string { return wrongSession(ctx, here, there) }},
		{"too much", func() []string { return tooMuch(ctx, here) }},
		{"never reads", func() []string { return neverReads(ctx, here) }},
		{"a thousand streams", func() []string { return thousandStreams(ctx, address) }},
		{"hangs up", func() []string { return hangsUp(ctx, here, address) }},
	}
	for _, one := range attacks {
		line, err := json.Marshal(map[string]any{"attack": one.name, "outcomes": one.attack()})
		check(err)
		fmt.Println(string(line))
	}
}

// check ends the program: what fails here is no attack.
func check(err error) {
	if err != nil {
		log.Panicln(err)
	}
}

func connect(address string, options ...grpc.DialOption) service {
	options = append(options, grpc.WithTransportCredentials(insecure.NewCredentials()))
	connection, err := grpc.NewClient(address, options...)
	check(err)
	return service{v1.NewRunServiceClient(connection), v1.NewWorkerServiceClient(connection)}
}

func (s service) start(ctx context.Context) string {
	response, err := s.runs.StartRun(ctx, &v1.StartRunRequest{FlowId: "attacked"})
	check(err)
	return response.GetRun().GetRunId()
}

func (s service) register(ctx context.Context, slots int32) string {
	request := &v1.RegisterWorkerRequest{Name: "attacker", Handlers: []string{handler}, Slots: slots}
	session, err := s.workers.RegisterWorker(ctx, request)
	check(err)
	return session.GetSessionId()
}

// open registers a worker that takes one task at a time.
func (s service) open(ctx context.Context) *worker {
	ctx, leave := context.WithCancel(ctx)
	opened := &worker{service: s, session: s.register(ctx, 1), tasks: make(chan *v1.WorkerTask, 1), leave: leave}
	stream, err := s.workers.PollTasks(ctx, &v1.PollTasksRequest{SessionId: opened.session})
	check(err)
	go func() {
		for {
			message, err := stream.Recv()
			if err != nil {
				close(opened.tasks)
				return
			}
			if task := message.GetTask(); task != nil {
				opened.tasks <- task
			}
		}
	}()
	return opened
}

// close says goodbye.
func (w *worker) close(ctx context.Context) {
	_, err := w.workers.ReportTasks(ctx, &v1.ReportTasksRequest{SessionId: w.session, Closing: true})
	check(err)
	w.leave()
}

// take waits for the task of a run.
func (w *worker) take(ctx context.Context, run string) *v1.WorkerTask {
	select {
	case task := <-w.tasks:
		if task.GetRunId() != run {
			log.Panicf("got a task of run %s, not of %s", task.GetRunId(), run)
		}
		return task
	case <-ctx.Done():
		log.Panicln("no task came")
		return nil
	}
}

// report sends reports in one call; it gives the outcome of each, or the code of the call.
func (s service) report(ctx context.Context, session string, reports ...*v1.TaskReport) []string {
	response, err := s.workers.ReportTasks(ctx, &v1.ReportTasksRequest{SessionId: session, Reports: reports})
	if err != nil {
		return []string{status.Code(err).String()}
	}
	outcomes := []string{}
	for _, result := range response.GetResults() {
		outcomes = append(outcomes, strings.TrimPrefix(result.GetOutcome().String(), "TASK_REPORT_OUTCOME_"))
	}
	return outcomes
}

// succeeded is the report of a result, as JSON.
func succeeded(token, output string) *v1.TaskReport {
	value := &v1.TaskSucceeded_OutputJson{OutputJson: []byte(output)}
	return &v1.TaskReport{TaskToken: token, Event: &v1.TaskReport_Succeeded{Succeeded: &v1.TaskSucceeded{OutputValue: value}}}
}

func acknowledged(token string) *v1.TaskReport {
	return &v1.TaskReport{TaskToken: token, Event: &v1.TaskReport_Acknowledged{Acknowledged: &v1.TaskAcknowledged{}}}
}

// result waits for the end of a run and gives its output.
func (s service) result(ctx context.Context, run string) string {
	response, err := s.runs.WaitRun(ctx, &v1.WaitRunRequest{RunId: run, Wait: durationpb.New(40 * time.Second)})
	check(err)
	text, err := json.Marshal(response.GetRun().GetOutput().AsInterface())
	check(err)
	return strings.TrimPrefix(response.GetRun().GetState().String(), "RUN_STATE_") + " " + string(text)
}
