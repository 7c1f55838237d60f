package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"

	"github.com/spf13/cobra"

	"temper/internal/unit"
	"temper/internal/verdict"
)

// share is the verb with which dh_temper puts a verdict into a package.
func (a *app) share() *cobra.Command {
	return &cobra.Command{
		Use:    "share FILE DIR",
		Short:  "Write a verdict into a directory as a package ships it",
		Hidden: true,
		Args:   cobra.ExactArgs(2),
		RunE: func(_ *cobra.Command, args []string) error {
			v, err := verdictToShip(args[0])
			if err != nil {
				return err
			}
			dir, err := filepath.Abs(args[1])
			if err != nil {
				return err
			}
			return verdict.Store{Dirs: []string{dir}}.PutShared(v.Packaged())
		},
	}
}

// verdictToShip reads a verdict from a source tree, which any user may own.
func verdictToShip(file string) (verdict.Verdict, error) {
	data, err := os.ReadFile(file)
	if err != nil {
		return verdict.Verdict{}, err
	}
	v, err := verdict.Parse(file, data)
	switch {
	case err != nil:
	case !unit.ValidName(v.Unit) || !strings.HasSuffix(v.Unit, ".service") || v.Fingerprint.Unit == "":
		err = fmt.Errorf("%s:1: names no service or has no fingerprint, want a verdict as `temper prove` writes it", file)
	case v.Newer():
		err = fmt.Errorf("%s:1: has schema %d, want at most %d: a newer temper has proven it",
			file, v.Schema, verdict.Schema)
	}
	return v, err
}
