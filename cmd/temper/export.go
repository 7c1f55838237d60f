package main

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"temper/export"
	"temper/generator"
	"temper/internal/explain"
	"temper/internal/hint"
	"temper/internal/unit"
	"temper/profiles"
)

func (a *app) export() *cobra.Command {
	var as, state string
	var logs bool
	c := &cobra.Command{
		Use:   "export UNIT",
		Short: "A proven result without temper: drop-in, patch, Ansible or NixOS",
		Long: `export prints what was proven of a unit in a form that needs no temper: each directive with what it forbids,
how it was tried, and the first systemd version that reads it.

As dropin it is a file for /etc/systemd/system/UNIT.d. As patch it is a diff to the vendor's unit file, with a message,
for patch -p1 or git apply. As ansible it is tasks that install the drop-in and restart the service. As nix it is a
module for NixOS. Lines that the service logged, and what it answered to checks, are left out, since they can hold
anything: --logs prints them too.

Exit status: 0 clean, 2 wrong usage, 3 could not run: there is no such unit, or the unit as it is was not proven.`,
		Example: "  sudo temper export nginx\n  sudo temper export nginx --as patch | patch -p1 --directory debian",
		Args:    cobra.ExactArgs(1),
		RunE: func(_ *cobra.Command, units []string) error {
			form, ok := export.Forms[as]
			if known := slices.Sorted(maps.Keys(export.Forms)); !ok {
				return usageError{fmt.Errorf("--as is %q, want %s", as, strings.Join(known, ", "))}
			}
			from, err := a.exportSource(units[0], state)
			if err != nil {
				return err
			}
			if !logs {
				from.Verdict = from.Verdict.Shared()
			}
			h, err := export.New(from)
			if err != nil {
				return err
			}
			text, err := form(h)
			if err == nil && a.format == "json" {
				return a.printer().JSON(map[string]string{"unit": from.Verdict.Unit, "as": as, "text": text})
			}
			fmt.Fprint(a.out, text)
			return err
		},
	}
	c.Flags().StringVar(&as, "as", "dropin", "print it as `dropin|patch|ansible|nix`")
	c.Flags().StringVar(&state, "state", "", "verdicts are in `DIR`, where prove --state has put them")
	c.Flags().BoolVar(&logs, "logs", false, "print lines of the service's log that are evidence, too")
	return c
}

// exportSource reads a unit and what was proven of it.
func (a *app) exportSource(name, state string) (export.Source, error) {
	root := a.host()
	store, err := stateStore(root, state)
	if err != nil {
		return export.Source{}, err
	}
	if err := store.Readable(); err != nil {
		return export.Source{}, hint.With(err, "sudo temper export "+name)
	}
	named, err := explain.FindUnits(&unit.Loader{Root: root}, []string{name}, "temper export")
	if err != nil {
		return export.Source{}, err
	}
	u := named[0]
	from := export.Source{Unit: u.Without(generator.Dropin).Without(export.Dropin)}
	from.Verdict, err = store.Get(u.ID)
	if errors.Is(err, fs.ErrNotExist) {
		return from, hint.With(fmt.Errorf("%s has no verdict", u.ID), "sudo temper prove "+u.ID)
	}
	if err != nil {
		return from, err
	}
	if from.Verdict.Draft {
		return from, hint.With(fmt.Errorf("what was proven of %s is a draft", u.ID),
			"take draft = true out of its profile, then sudo temper prove "+u.ID)
	}
	text, err := root.ReadFile(u.Fragment)
	if err != nil {
		return from, fmt.Errorf("read the unit file of %s: %w", u.ID, err)
	}
	from.Fragment = string(text)
	set, problems := loadProfiles(root)
	a.warnAll(problems)
	if p, ok := set.Get(from.Verdict.Profile); ok && p.Digest == from.Verdict.Fingerprint.Profile {
		from.Checks = checkNames(p)
	}
	return from, nil
}

func checkNames(p *profiles.Profile) []string {
	var names []string
	for _, c := range p.Checks {
		names = append(names, c.Name)
	}
	return names
}
