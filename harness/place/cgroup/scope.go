package cgroup

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"time"

	"temper/internal/systemd"
)

// Where systemd runs the machine, it owns all cgroups: on request it makes a delegated scope for the container. A scope
// needs a process from the beginning; a placeholder keeps it until systemd-nspawn has been started in it.

// placeholder is a cat(1) that waits for the end of its input, which also comes when this process dies.
type placeholder struct {
	cmd   *exec.Cmd
	input io.Closer
}

func newPlaceholder() (*placeholder, error) {
	cmd := exec.Command("cat")
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	input, err := cmd.StdinPipe()
	if err != nil {
		return nil, err
	}
	if err := cmd.Start(); err != nil {
		return nil, errors.Join(err, input.Close())
	}
	return &placeholder{cmd, input}, nil
}

// release lets the process end. Its own exit status means nothing.
func (h *placeholder) release() {
	_ = h.input.Close()
	_ = h.cmd.Wait()
}

// newScope has systemd make the scope name.scope and returns its directory in the cgroup2 tree mounted at unified.
// D-Bus need not be up.
func newScope(ctx context.Context, unified, name string, l Limits) (dir string, hold *placeholder, err error) {
	manager, err := systemd.ConnectPrivate(ctx)
	if err != nil {
		return "", nil, fmt.Errorf("connect to the machine's systemd: %w", err)
	}
	defer manager.Close()
	if hold, err = newPlaceholder(); err != nil {
		return "", nil, err
	}
	path, err := startScope(ctx, manager, name+".scope", hold.cmd.Process.Pid, l)
	if err != nil {
		hold.release()
		return "", nil, fmt.Errorf("make %s.scope: %w", name, err)
	}
	return filepath.Join(unified, path), hold, nil
}

// startScope returns the ControlGroup of the new scope once its process is in there.
func startScope(ctx context.Context, manager *systemd.Client, scope string, pid int, l Limits) (string, error) {
	properties := append(l.properties(),
		systemd.Property{Name: "Description", Value: "Place for the trials of temper"},
		systemd.Property{Name: "Slice", Value: "machine.slice"},
		systemd.Property{Name: "Delegate", Value: true},
		systemd.Property{Name: "CollectMode", Value: "inactive-or-failed"},
		systemd.Property{Name: "PIDs", Value: []uint32{uint32(pid)}},
	)
	unit := systemd.Transient{Name: scope, Properties: properties}
	result, err := manager.StartTransientUnit(ctx, systemd.Fail, unit)
	if err != nil {
		return "", err
	}
	if result != systemd.Done {
		return "", fmt.Errorf("job %s", result)
	}
	p, err := manager.LoadedUnit(ctx, scope)
	return systemd.Get[string](p, "ControlGroup"), err
}

// stopScope has systemd end the scope whose cgroup2 is dir, and waits until it has removed that: of a cgroup that
// somebody else removes systemd may not see the end, and would keep its scope for good. Where there is no such scope
// any more, dir is nothing that systemd will remove, such as that of a version 1 tree.
func stopScope(ctx context.Context, dir string) error {
	if _, err := os.Lstat(dir); err != nil {
		return nil
	}
	manager, err := systemd.ConnectPrivate(ctx)
	if err != nil {
		return fmt.Errorf("connect to the machine's systemd: %w", err)
	}
	defer manager.Close()
	killGroup(dir) // systemd asks them to end first, and waits for those that do not
	within, cancel := context.WithTimeout(ctx, scopeWithin)
	defer cancel()
	switch _, err := manager.StopUnit(within, filepath.Base(dir)); {
	case errors.Is(err, systemd.ErrNotLoaded):
		return nil
	case err == nil, errors.Is(err, context.DeadlineExceeded):
	default:
		return err
	}
	tick := time.NewTicker(retryEvery)
	defer tick.Stop()
	for {
		if _, err := os.Lstat(dir); err != nil {
			return nil
		}
		select {
		case <-tick.C:
		case <-within.Done():
			return context.Cause(ctx) // nil where only the time was up: what is left is removed by hand
		}
	}
}

const scopeWithin = 2 * time.Second
