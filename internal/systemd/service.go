package systemd

import (
	"context"
	"fmt"
)

// Service is the state of a service.
type Service struct {
	Active, Sub string
	Result      string // "success", "exit-code", "signal" ...
	Code        int32  // how the last main process ended: one of the codes below, 0 if it has not
	Status      int32  // its exit status or signal
	PID         uint32
	ControlPID  uint32
	Cgroup      string
	CanReload   bool
	Restarts    uint32
	Commands    []Command
	Properties  Properties
}

// How a process ended; see waitid(2).
const (
	Exited = 1 // CLD_EXITED
	Killed = 2 // CLD_KILLED
	Dumped = 3 // CLD_DUMPED
)

// A Command is a command of a service that has ended.
type Command struct {
	Name         string // "ExecStartPre=/bin/x", with its number if there are several
	Code, Status int32  // as in Service
}

// LoadedService returns the state of a service, or an error that wraps [ErrNotLoaded] if it is not loaded.
func (c *Client) LoadedService(ctx context.Context, name string) (Service, error) {
	p, err := c.LoadedUnit(ctx, name)
	return service(p), err
}

// Service loads a service if necessary and returns its state.
func (c *Client) Service(ctx context.Context, name string) (Service, error) {
	p, err := c.Unit(ctx, name)
	return service(p), err
}

func service(p Properties) Service {
	return Service{
		Active: Get[string](p, "ActiveState"), Sub: Get[string](p, "SubState"), Result: Get[string](p, "Result"),
		Code: Get[int32](p, "ExecMainCode"), Status: Get[int32](p, "ExecMainStatus"),
		PID: Get[uint32](
			p,
			"MainPID",
		), ControlPID: Get[uint32](p, "ControlPID"), Cgroup: Get[string](p, "ControlGroup"),
		CanReload: Get[bool](
			p,
			"CanReload",
		), Restarts: Get[uint32](p, "NRestarts"), Commands: commands(p), Properties: p,
	}
}

var commandProperties = []string{
	"ExecCondition", "ExecStartPre", "ExecStart", "ExecStartPost", "ExecReload", "ExecReloadPost",
	"ExecStop", "ExecStopPost",
}

// commands reads how the commands of a service ended. Their D-Bus type is a(sasbttttuii); the last three fields are
// pid, code and status.
func commands(p Properties) []Command {
	var run []Command
	for _, name := range commandProperties {
		list, _ := p[name].([][]any)
		for i, c := range list {
			if len(c) != 10 {
				continue
			}
			path, _ := c[0].(string)
			code, _ := c[8].(int32)
			status, _ := c[9].(int32)
			if code == 0 {
				continue
			}
			label := name + "=" + path
			if i > 0 {
				label += fmt.Sprintf(" (number %d)", i+1)
			}
			run = append(run, Command{label, code, status})
		}
	}
	return run
}
