package systemd

import (
	"context"
)

// Enable makes a unit start at each boot, as systemctl enable does, and reloads the manager.
func (c *Client) Enable(ctx context.Context, name string) error {
	err := c.call(ctx, reloadWithin, "enable "+name, func(ctx context.Context) error {
		_, _, err := c.api.EnableUnitFilesContext(ctx, []string{name}, false, true)
		return err
	})
	if err != nil {
		return err
	}
	return c.Reload(ctx)
}

// Disable takes back what Enable did.
func (c *Client) Disable(ctx context.Context, name string) error {
	err := c.call(ctx, reloadWithin, "disable "+name, func(ctx context.Context) error {
		_, err := c.api.DisableUnitFilesContext(ctx, []string{name}, false)
		return err
	})
	if err != nil {
		return err
	}
	return c.Reload(ctx)
}
