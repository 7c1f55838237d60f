package main

import (
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"github.com/spf13/pflag"

	"temper/harness/batch"
)

// TestProveFlags: every flag that says how units are proven reaches the proof.
func TestProveFlags(t *testing.T) {
	var f proveFlags
	flags := pflag.NewFlagSet("prove", pflag.ContinueOnError)
	f.define(flags)
	err := flags.Parse([]string{
		"--place=container", "--trusted", "--jobs=3", "--tighten", "--strict", "--no-regress", "--no-logs",
	})
	if err != nil {
		t.Fatal(err)
	}
	others := cmpopts.IgnoreFields(batch.Options{}, "Root", "Units", "Profiles", "Profile", "Store", "Report")
	want := batch.Options{
		Place: batch.Container, Trusted: true, Jobs: 3, Tighten: true, Strict: true, NoRegress: true, NoLogs: true,
	}
	if diff := cmp.Diff(want, f.options(), others); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
