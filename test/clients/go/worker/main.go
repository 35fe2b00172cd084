// A worker with the handlers that the scenarios ask for. ORCHESTRATOR_TEST_ADDR: host and port of the service. Prints a
// line for everything that a scenario waits for.
package main

import (
	"context"
	"errors"
	"fmt"
	"log"
	"os"
	"os/signal"
	"strconv"
	"syscall"
	"time"

	"orchestrator.internal/client/worker"
)

type doubleInput struct {
	N int `json:"n"`
}

type doubleOutput struct {
	Doubled int `json:"doubled"`
}

type seen struct {
	Attempt        int    `json:"attempt"`
	IdempotencyKey string `json:"idempotencyKey"`
	FencingToken   int    `json:"fencingToken"`
	RunID          string `json:"runId"`
	CorrelationID  string `json:"correlationId"`
}

type waitInput struct {
	File string `json:"file"`
}

type nothing struct{}

func double(_ context.Context, in doubleInput) (doubleOutput, error) {
	return doubleOutput{Doubled: in.N * 2}, nil
}

func flaky(ctx context.Context, _ nothing) (*seen, error) {
	task := worker.TaskOf(ctx)
	if task.Attempt < 3 {
		message := fmt.Sprintf("attempt %d", task.Attempt)
		return nil, &worker.Error{Type: "FLAKY", Message: message, NextRetryDelay: 10 * time.Millisecond}
	}
	return &seen{task.Attempt, task.IdempotencyKey, task.FencingToken, task.RunID, task.CorrelationID}, nil
}

func decline(context.Context, nothing) (*seen, error) {
	return nil, worker.NonRetryable("CARD_DECLINED", "the card is declined")
}

func broken(context.Context, nothing) (*seen, error) {
	return nil, errors.New("out of range")
}

func panics(context.Context, nothing) (*seen, error) {
	panic("out of range")
}

type page struct {
	Attempt int `json:"attempt"`
	Page    int `json:"page"`
}

func steps(ctx context.Context, _ nothing) (*page, error) {
	task := worker.TaskOf(ctx)
	current, total := int32(task.Attempt), int32(2)
	task.Progress(worker.Progress{Current: &current, Total: &total})
	task.Logf("attempt %d", task.Attempt)
	last := &page{Page: 1}
	if task.Attempt == 2 {
		_, err := task.LastCheckpoint(last)
		last.Attempt = 2
		return last, err
	}
	if err := task.Checkpoint(last); err != nil {
		return nil, err
	}
	return nil, &worker.Error{Type: "AGAIN", Message: "half of it is done"}
}

func detach(ctx context.Context, _ nothing) (*seen, error) {
	worker.TaskOf(ctx).Detach()
	return nil, nil
}

// wait waits for a file; it ends early when its result is no longer wanted.
func wait(ctx context.Context, in waitInput) (*seen, error) {
	task := worker.TaskOf(ctx)
	fmt.Printf("begun %d\n", task.Attempt)
	for {
		if _, err := os.Stat(in.File); err == nil {
			return &seen{Attempt: task.Attempt, FencingToken: task.FencingToken}, nil
		}
		select {
		case <-ctx.Done():
			fmt.Println("aborted")
			return nil, context.Cause(ctx)
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func main() {
	stopTimeout := 20_000
	if text := os.Getenv("STOP_TIMEOUT_MS"); text != "" {
		stopTimeout, _ = strconv.Atoi(text)
	}
	w := worker.New(worker.Options{
		Address:     os.Getenv("ORCHESTRATOR_TEST_ADDR"),
		Queues:      []string{"test"},
		Slots:       20,
		StopTimeout: time.Duration(stopTimeout) * time.Millisecond,
		Log:         func(format string, args ...any) { fmt.Printf("log "+format+"\n", args...) },
	})
	worker.Handle(w, "double", double)
	worker.Handle(w, "flaky", flaky)
	worker.Handle(w, "decline", decline)
	worker.Handle(w, "broken", broken)
	worker.Handle(w, "panics", panics)
	worker.Handle(w, "steps", steps)
	worker.Handle(w, "detach", detach)
	worker.Handle(w, "wait", wait)
	ctx, stop := signal.NotifyContext(context.Background(), syscall.SIGINT, syscall.SIGTERM)
	defer stop()
	if err := w.Run(ctx); err != nil {
		log.Fatal(err)
	}
	fmt.Println("stopped")
}
