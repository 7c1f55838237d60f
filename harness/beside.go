package harness

import (
	"context"
	"errors"
	"os"
	"path"
	"path/filepath"
	"slices"
	"time"

	"temper/internal/systemd"
)

// errBeside says that something in a container has started the original while its trial ran: a unit that needs it, or the bus. It may
// have answered for the trial, or taken its port.
var errBeside = errors.New("the service itself was started beside the trial")

// originals are the names of the unit and of what starts it.
func (t *trials) originals() []string { return append(slices.Clone(t.cloning.starts), t.unit.ID) }

// beside reports whether one of the originals was started since a time. On the host nothing starts one unseen: see startGuard.
func (t *trials) beside(ctx context.Context, since time.Time) bool {
	return t.place.Kind() != "host" && slices.ContainsFunc(t.originals(), func(name string) bool {
		p, err := t.manager.LoadedUnit(ctx, name)
		return err == nil && systemd.Get[uint64](p, "InactiveExitTimestamp") > uint64(since.UnixMicro())
	})
}

// hollowDropin is read after all others of a unit. Those that need a unit whose condition is not met start all the same.
const hollowDropin = ".d/zz-temper.conf"

// hollow makes the originals do nothing when they are started.
func (t *trials) hollow(ctx context.Context) error {
	files := map[string]string{}
	for _, name := range t.originals() {
		files[name+hollowDropin] = "[Unit]\nConditionPathExists=!/\n"
	}
	if err := t.write(files); err != nil {
		return err
	}
	return Reload(ctx, t.place)
}

// fill takes back what hollow has done.
func (t *trials) fill() error {
	ctx, cancel := context.WithTimeout(context.Background(), 15*time.Second)
	defer cancel()
	for _, name := range t.originals() {
		if file, err := t.place.Root().Path(path.Join(unitDir, name+hollowDropin)); err == nil {
			os.Remove(file)
			os.Remove(filepath.Dir(file)) // others have something there too, or nobody
		}
	}
	return Reload(ctx, t.place)
}
