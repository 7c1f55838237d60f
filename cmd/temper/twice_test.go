package main

import (
	"bufio"
	"errors"
	"os/exec"
	"strings"
	"testing"

	"golang.org/x/sys/unix"

	"temper/internal/testroot"
	"temper/internal/verdict"
)

// TestSystemdProveTwice: of two proofs of one unit at the same time, the second waits until the first has kept its verdict.
func TestSystemdProveTwice(t *testing.T) {
	image, state := withQuiet(t, testroot.Path(t, "trixie")), t.TempDir()
	program := built(t)
	prove := func() (*exec.Cmd, *bufio.Scanner) {
		c := exec.Command(program, "prove", "--image", image, "--state", state, "quiet")
		talk, err := c.StderrPipe()
		if err != nil {
			t.Fatal(err)
		}
		if err := c.Start(); err != nil {
			t.Fatal(err)
		}
		return c, bufio.NewScanner(talk)
	}
	first, said := prove()
	said.Scan()                            // the first trial is over
	_ = first.Process.Signal(unix.SIGSTOP) // it does not end before the second begins
	second, heard := prove()
	if heard.Scan(); heard.Text() != "quiet.service: waits for another proof of it" {
		t.Errorf("the second said %q", heard.Text())
	}
	_ = first.Process.Signal(unix.SIGCONT)
	for said.Scan() {
	}
	if _, err := (verdict.Store{Dirs: []string{state}}).Get("quiet.service"); err != nil {
		t.Error(err)
	}
	for heard.Scan() {
	}
	if err := errors.Join(first.Wait(), second.Wait()); err != nil {
		t.Error(err)
	}
}

// TestSystemdProveDeadly: a service that takes its place down is told, and the next is proven in another.
func TestSystemdProveDeadly(t *testing.T) {
	image, state := withQuiet(t, testroot.Path(t, "trixie")), t.TempDir()
	out, err := exec.Command(built(t), "prove", "--image", image, "--state", state, "deadly", "quiet").CombinedOutput()
	if err == nil || !strings.Contains(string(out), "deadly.service: the container has ended") {
		t.Errorf("%v: %s", err, out)
	}
	if v, err := (verdict.Store{Dirs: []string{state}}).Get("quiet.service"); err != nil || v.Result != verdict.Proven {
		t.Errorf("%v, %s: %s", err, v.Result, out)
	}
}
