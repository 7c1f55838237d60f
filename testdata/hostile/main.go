// Command hostile is a service that was taken over: as root in a place it tries to get at the machine. Tests run it
// there.
//
//	hostile attack        tries every attack once and prints a line for each: its name, and "refused: WHY" or
//	                      "SUCCEEDED: WHAT"
//	hostile attack NAME   tries one
//	hostile launch        asks systemd to run the attack core-pattern with all capabilities
//	hostile serve HOW     is a service that hinders its own proof: see serve.go
//
// Where the place does not hold, the program must not harm the machine: it writes the values that it has read, opens
// devices without using them, and fills neither memory nor disk beyond a gigabyte.
package main

import (
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"slices"
)

func init() { runtime.LockOSThread() } // what ptrace(2) has stopped stays so while this thread runs

func main() {
	args := append(os.Args[1:], "", "")
	switch args[0] {
	case "attack":
		attack(args[1])
	case "launch":
		launch()
	case "serve":
		serve(args[1])
	case "wait":
		stay()
	default:
		fmt.Fprintln(os.Stderr, "hostile: want attack, launch or serve")
		os.Exit(2)
	}
}

func attack(name string) {
	for _, a := range attacks {
		if name != "" && name != a.name {
			continue
		}
		what, err := a.try()
		if err != nil {
			fmt.Printf("%s refused: %v\n", a.name, err)
		} else {
			fmt.Printf("%s SUCCEEDED: %s\n", a.name, what)
		}
	}
	if name != "" && !slices.ContainsFunc(attacks, func(a attempt) bool { return a.name == name }) {
		fmt.Fprintf(os.Stderr, "hostile: no attack %q\n", name)
		os.Exit(2)
	}
}

// launch is for a service with few capabilities: PID 1 runs what it is asked for with all that the place has.
func launch() {
	self, err := os.Executable()
	if err != nil {
		self = os.Args[0]
	}
	cmd := exec.Command("systemd-run", "--quiet", "--wait", "--pipe", self, "attack", "core-pattern")
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	if err := cmd.Run(); err != nil {
		fmt.Println("launch refused:", err)
	}
}
