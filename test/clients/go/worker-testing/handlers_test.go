package handlers

import (
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	"orchestrator.internal/client/worker"
)

type view struct {
	Input   []int
	Attempt int
	Key     string
	Limited bool
}

func see(ctx context.Context, input []int) (view, error) {
	task := worker.TaskOf(ctx)
	task.Heartbeat()
	task.Heartbeat()
	_, limited := ctx.Deadline()
	return view{input, task.Attempt, task.IdempotencyKey, limited}, nil
}

func wait(ctx context.Context, _ any) (any, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestOutput(t *testing.T) {
	task := worker.TestTask{Attempt: 3, IdempotencyKey: "k", Timeout: time.Minute}
	result, err := worker.RunHandler(context.Background(), see, []int{1, 2}, task)
	if err != nil || result.State != "succeeded" || result.Heartbeats != 2 {
		t.Fatalf("%v %+v", err, result)
	}
	if got := result.Output; len(got.Input) != 2 || got.Attempt != 3 || got.Key != "k" || !got.Limited {
		t.Fatalf("%+v", got)
	}
}

func TestErrors(t *testing.T) {
	cases := []struct {
		err  error
		want worker.Error
	}{
		{&worker.Error{Type: "BUSY", Message: "later", NextRetryDelay: time.Second}, worker.Error{Type: "BUSY", Message: "later", NextRetryDelay: time.Second}},
		{worker.NonRetryable("NO", "no"), worker.Error{Type: "NO", Message: "no", NonRetryable: true}},
		{errors.New("bug"), worker.Error{Type: "HANDLER_FAILED", Message: "bug"}},
		{&worker.Error{Type: "A\x00B", Message: "a\x00b"}, worker.Error{Type: "AB", Message: "a\ufffdb"}},
		{&worker.Error{Message: strings.Repeat("x\xff", 9_000)}, worker.Error{Type: "HANDLER_FAILED", Message: strings.Repeat("x\ufffd", 4_096)}},
	}
	for _, one := range cases {
		fail := func(context.Context, any) (any, error) { return nil, one.err }
		result, err := worker.RunHandler(context.Background(), fail, nil, worker.TestTask{})
		if err != nil || result.State != "failed" || *result.Err != one.want {
			t.Errorf("%v: %v %+v", one.err, err, result)
		}
	}
}

func TestWhatIsNoOutput(t *testing.T) {
	outputs := map[string]any{"OUTPUT_INVALID": func() {}, "OUTPUT_TOO_LARGE": strings.Repeat("x", 4<<20)}
	for want, output := range outputs {
		give := func(context.Context, any) (any, error) { return output, nil }
		result, err := worker.RunHandler(context.Background(), give, nil, worker.TestTask{})
		if err != nil || result.Err == nil || result.Err.Type != want || !result.Err.NonRetryable {
			t.Errorf("%s: %v %+v", want, err, result)
		}
	}
}

func TestPanic(t *testing.T) {
	panics := func(context.Context, any) (any, error) { panic("oops") }
	result, _ := worker.RunHandler(context.Background(), panics, nil, worker.TestTask{})
	if result.Err == nil || result.Err.Type != worker.HandlerFailed || !strings.HasPrefix(result.Err.Message, "panic: oops") {
		t.Fatalf("%+v", result)
	}
}

func TestEnds(t *testing.T) {
	ctx, cancel := context.WithCancel(context.Background())
	cancel()
	if result, err := worker.RunHandler(ctx, wait, nil, worker.TestTask{}); err != nil || result.State != "stopped" {
		t.Errorf("%v %+v", err, result)
	}
	timeout := worker.TestTask{Timeout: time.Millisecond}
	result, err := worker.RunHandler(context.Background(), wait, nil, timeout)
	if err != nil || result.Err == nil || result.Err.Type != "TIMEOUT" {
		t.Errorf("%v %+v", err, result)
	}
}

type page struct {
	Page int `json:"page"`
}

func TestWhatIsSaid(t *testing.T) {
	work := func(ctx context.Context, _ any) (page, error) {
		task := worker.TaskOf(ctx)
		seven := 7.0
		task.Progress(worker.Progress{Message: "half"})
		task.Progress(worker.Progress{Fraction: &seven})
		task.Logf("reads %d", 1)
		var last page
		if _, err := task.LastCheckpoint(&last); err != nil {
			return last, err
		}
		last.Page++
		return last, task.Checkpoint(last)
	}
	result, err := worker.RunHandler(context.Background(), work, nil, worker.TestTask{LastCheckpoint: page{1}})
	if err != nil || result.Output.Page != 2 || len(result.Progress) != 2 || *result.Progress[1].Fraction != 1 {
		t.Fatalf("%v %+v", err, result)
	}
	if result.Logs[0] != "reads 1" || result.Checkpoints[0] != `{"page":2}` {
		t.Fatalf("%+v", result)
	}
	large := func(ctx context.Context, _ any) (any, error) {
		return nil, worker.TaskOf(ctx).Checkpoint(strings.Repeat("x", 65_536))
	}
	if result, _ := worker.RunHandler(context.Background(), large, nil, worker.TestTask{}); result.State != "failed" {
		t.Fatalf("%+v", result)
	}
	detach := func(ctx context.Context, _ any) (any, error) {
		worker.TaskOf(ctx).Detach()
		return nil, nil
	}
	if result, _ := worker.RunHandler(context.Background(), detach, nil, worker.TestTask{}); result.State != "detached" {
		t.Fatalf("%+v", result)
	}
}
