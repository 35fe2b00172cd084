package main

import (
	"context"
	"fmt"
	"math"
	"net"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"google.golang.org/grpc"
	"google.golang.org/grpc/status"
	v1 "orchestrator.internal/client/v1"
)

// double: the same result twice, then another one, then both in one call.
func double(ctx context.Context, s service) []string {
	w := s.open(ctx)
	defer w.close(ctx)
	run := s.start(ctx)
	token := w.take(ctx, run).GetTaskToken()
	outcomes := s.report(ctx, w.session, succeeded(token, "1"), succeeded(token, "1"))
	outcomes = append(outcomes, s.report(ctx, w.session, succeeded(token, "2"))...)
	// A hundred at once, over and over.
	var group sync.WaitGroup
	var changed atomic.Int32
	for range 100 {
		group.Go(func() {
			if s.report(ctx, w.session, succeeded(token, "3"))[0] != "ALREADY_REPORTED" {
				changed.Add(1)
			}
		})
	}
	group.Wait()
	return append(outcomes, fmt.Sprint(changed.Load()), s.result(ctx, run))
}

// late: a report with the token of a hand-over that another one has replaced.
func late(ctx context.Context, s service) []string {
	w := s.open(ctx)
	defer w.close(ctx)
	run := s.start(ctx)
	old := w.take(ctx, run)
	back := &v1.TaskReport_HandedBack{HandedBack: &v1.TaskHandedBack{Reason: "not mine"}}
	outcomes := s.report(ctx, w.session, &v1.TaskReport{TaskToken: old.GetTaskToken(), Event: back})
	next := w.take(ctx, run)
	outcomes = append(outcomes, s.report(ctx, w.session, succeeded(old.GetTaskToken(), `"late"`))...)
	outcomes = append(outcomes, s.report(ctx, w.session, succeeded(next.GetTaskToken(), `"in time"`))...)
	return append(outcomes, fmt.Sprint(next.GetFencingToken() > old.GetFencingToken()), s.result(ctx, run))
}

// forged: every byte of a good token changed, one after the other, and texts that look like tokens or do not.
func forged(ctx context.Context, s service) []string {
	w := s.open(ctx)
	defer w.close(ctx)
	run := s.start(ctx)
	token := w.take(ctx, run).GetTaskToken()
	s.report(ctx, w.session, acknowledged(token))
	texts := []string{token[1:], token[:len(token)-1], token + "A", token + "=", " " + token, strings.ToUpper(token), strings.Repeat("A", 256)}
	for place := range token {
		other := "A"
		if token[place] == 'A' {
			other = "B"
		}
		texts = append(texts, token[:place]+other+token[place+1:])
	}
	reports := make([]*v1.TaskReport, len(texts))
	for i, text := range texts {
		reports[i] = succeeded(text, `"forged"`)
	}
	known := 0
	for _, outcome := range s.report(ctx, w.session, reports...) {
		if outcome != "UNKNOWN" {
			known++
		}
	}
	outcomes := []string{fmt.Sprint(known), s.report(ctx, w.session, succeeded(strings.Repeat("A", 1<<20), "1"))[0]}
	outcomes = append(outcomes, s.report(ctx, w.session, succeeded(token, `"real"`))...)
	return append(outcomes, s.result(ctx, run))
}

// foreign: the token of another service, whose hand-over has the same number.
func foreign(ctx context.Context, s, other service) []string {
	w, elsewhere := s.open(ctx), other.open(ctx)
	defer w.close(ctx)
	defer elsewhere.close(ctx)
	run, otherRun := s.start(ctx), other.start(ctx)
	token, otherToken := w.take(ctx, run).GetTaskToken(), elsewhere.take(ctx, otherRun).GetTaskToken()
	outcomes := s.report(ctx, w.session, succeeded(otherToken, `"foreign"`))
	outcomes = append(outcomes, other.report(ctx, elsewhere.session, succeeded(token, `"foreign"`))...)
	s.report(ctx, w.session, succeeded(token, `"here"`))
	other.report(ctx, elsewhere.session, succeeded(otherToken, `"there"`))
	return append(outcomes, s.result(ctx, run), other.result(ctx, otherRun))
}

// wrongSession: polls and reports of sessions that are none, or somebody else's.
func wrongSession(ctx context.Context, s, other service) []string {
	w, elsewhere := s.open(ctx), other.open(ctx)
	defer w.close(ctx)
	defer elsewhere.close(ctx)
	outcomes := []string{}
	for _, session := range []string{"x", elsewhere.session, w.session[1:]} {
		stream, err := s.workers.PollTasks(ctx, &v1.PollTasksRequest{SessionId: session})
		check(err)
		_, err = stream.Recv()
		outcomes = append(outcomes, status.Code(err).String())
		outcomes = append(outcomes, s.report(ctx, session)...)
	}
	run := s.start(ctx)
	token := w.take(ctx, run).GetTaskToken()
	// A token is valid everywhere: the worker may have lost its session.
	outcomes = append(outcomes, s.report(ctx, elsewhere.session, succeeded(token, `"by whoever holds the token"`))...)
	return append(outcomes, s.result(ctx, run))
}

// tooMuch: numbers that are none, texts without an end, and more words than anybody reads.
func tooMuch(ctx context.Context, s service) []string {
	w := s.open(ctx)
	defer w.close(ctx)
	run := s.start(ctx)
	token := w.take(ctx, run).GetTaskToken()
	progress := func(value *v1.TaskProgressed) *v1.TaskReport {
		return &v1.TaskReport{TaskToken: token, Event: &v1.TaskReport_Progress{Progress: value}}
	}
	fraction := func(value float64) *v1.TaskReport { return progress(&v1.TaskProgressed{Fraction: &value}) }
	negative := int32(-1)
	outcomes := s.report(ctx, w.session, fraction(math.NaN()), fraction(math.Inf(1)), fraction(-1),
		progress(&v1.TaskProgressed{Current: &negative}), progress(&v1.TaskProgressed{Message: strings.Repeat("m", 100_000)}))
	outcomes = append(outcomes, s.report(ctx, w.session, progress(&v1.TaskProgressed{Message: strings.Repeat("m", 16<<20)}))...)
	checkpoint := &v1.TaskCheckpointed{CheckpointJson: []byte(`"` + strings.Repeat("c", 100_000) + `"`)}
	outcomes = append(outcomes, s.report(ctx, w.session, &v1.TaskReport{
		TaskToken: token, Event: &v1.TaskReport_Checkpoint{Checkpoint: checkpoint},
	})...)
	many := make([]*v1.TaskReport, 1_000)
	for i := range many {
		many[i] = progress(&v1.TaskProgressed{Message: strings.Repeat("m", 1_000)})
	}
	var refused atomic.Int32
	var group sync.WaitGroup
	for range 20 {
		group.Go(func() {
			for _, outcome := range s.report(ctx, w.session, many...) {
				if outcome != "ACCEPTED" {
					refused.Add(1)
				}
			}
		})
	}
	group.Wait()
	outcomes = append(outcomes, fmt.Sprint(refused.Load()), s.report(ctx, w.session, append(many, many[0])...)[0])
	outcomes = append(outcomes, s.report(ctx, w.session, succeeded(token, `"heard"`))...)
	return append(outcomes, s.result(ctx, run))
}

// neverReads: a worker with many slots opens its stream and reads nothing. Its tasks go to one that does.
func neverReads(ctx context.Context, s service) []string {
	deaf, leave := context.WithCancel(ctx)
	defer leave()
	session := s.register(ctx, 100)
	_, err := s.workers.PollTasks(deaf, &v1.PollTasksRequest{SessionId: session})
	check(err)
	runs := make([]string, 50)
	for i := range runs {
		runs[i] = s.start(ctx)
	}
	stop := serve(ctx, s)
	defer stop()
	return []string{s.allCompleted(ctx, runs)}
}

// thousandStreams: as many workers over ten connections, which all leave in the middle of their work.
func thousandStreams(ctx context.Context, address string) []string {
	away, leave := context.WithCancel(ctx)
	connections := make([]service, 10)
	for i := range connections {
		connections[i] = connect(address)
	}
	var opened sync.WaitGroup
	var begun atomic.Int32
	for i := range 1_000 {
		s := connections[i%len(connections)]
		opened.Go(func() {
			session := s.register(ctx, 1)
			stream, err := s.workers.PollTasks(away, &v1.PollTasksRequest{SessionId: session})
			check(err)
			go func() {
				for {
					message, err := stream.Recv()
					if err != nil {
						return
					}
					// One in two is acknowledged, and none is done.
					if task := message.GetTask(); task != nil && begun.Add(1)%2 == 0 {
						s.report(away, session, acknowledged(task.GetTaskToken()))
					}
				}
			}()
		})
	}
	opened.Wait()
	s := connections[0]
	runs := make([]string, 200)
	for i := range runs {
		runs[i] = s.start(ctx)
	}
	for begun.Load() < int32(len(runs)) {
		check(ctx.Err())
		time.Sleep(10 * time.Millisecond)
	}
	leave()
	stop := serve(ctx, s)
	defer stop()
	return []string{s.allCompleted(ctx, runs)}
}

// hangsUp: connections that break after so many bytes of a report. What arrived in part counts for nothing.
func hangsUp(ctx context.Context, s service, address string) []string {
	w := s.open(ctx)
	defer w.close(ctx)
	run := s.start(ctx)
	token := w.take(ctx, run).GetTaskToken()
	s.report(ctx, w.session, acknowledged(token))
	part := succeeded(token, `"`+strings.Repeat("p", 1<<20)+`"`)
	answered := 0
	for _, most := range []int{500, 5_000, 50_000, 500_000} {
		breaking := connect(address, grpc.WithContextDialer(func(ctx context.Context, address string) (net.Conn, error) {
			connection, err := (&net.Dialer{}).DialContext(ctx, "tcp", address)
			return &breakingConn{Conn: connection, left: most}, err
		}))
		short, cancel := context.WithTimeout(ctx, 5*time.Second)
		if _, err := breaking.workers.ReportTasks(short, &v1.ReportTasksRequest{SessionId: w.session, Reports: []*v1.TaskReport{part}}); err == nil {
			answered++
		}
		cancel()
	}
	outcomes := append([]string{fmt.Sprint(answered)}, s.report(ctx, w.session, succeeded(token, `"whole"`))...)
	return append(outcomes, s.result(ctx, run))
}

// breakingConn hangs up once it has written so many bytes.
type breakingConn struct {
	net.Conn
	left int
}

func (c *breakingConn) Write(bytes []byte) (int, error) {
	if len(bytes) < c.left {
		c.left -= len(bytes)
		return c.Conn.Write(bytes)
	}
	written, _ := c.Conn.Write(bytes[:c.left])
	c.left = 0
	c.Close()
	return written, net.ErrClosed
}

// serve does all tasks, as a worker should, until it is stopped.
func serve(ctx context.Context, s service) (stop func()) {
	ctx, cancel := context.WithCancel(ctx)
	var group sync.WaitGroup
	for range 8 {
		w := s.open(ctx)
		group.Go(func() {
			// A call without reports says that the worker is alive: it may be idle for longer than a session lasts.
			alive := time.NewTicker(time.Second)
			defer alive.Stop()
			for {
				select {
				case task, ok := <-w.tasks:
					if !ok {
						return
					}
					s.report(ctx, w.session, succeeded(task.GetTaskToken(), `"done"`))
				case <-alive.C:
					s.report(ctx, w.session)
				}
			}
		})
	}
	return func() {
		cancel()
		group.Wait()
	}
}

// allCompleted waits for runs, and says how many completed with their result.
func (s service) allCompleted(ctx context.Context, runs []string) string {
	completed := 0
	for _, run := range runs {
		if s.result(ctx, run) == `COMPLETED "done"` {
			completed++
		}
	}
	return fmt.Sprintf("%d of %d", completed, len(runs))
}
