package export

import (
	"fmt"
	"path"
	"strconv"
	"strings"
)

// ansible is a list of tasks that install the drop-in and restart the service where it has changed.
func (h Hardening) ansible() string {
	name, file := strconv.Quote(h.Verdict.Unit), strconv.Quote(h.path())
	var b strings.Builder
	fmt.Fprintf(&b, "# Hardening of %s, found by temper: %s.\n", h.Verdict.Unit, h.scores())
	fmt.Fprintf(&b, "- name: The directory of the drop-in of %s\n", h.Verdict.Unit)
	fmt.Fprintf(&b, "  ansible.builtin.file:\n    path: %s\n    state: directory\n    mode: \"0755\"\n",
		strconv.Quote(path.Dir(h.path())))
	fmt.Fprintf(&b, "\n- name: The drop-in of %s\n  ansible.builtin.copy:\n    dest: %s\n", h.Verdict.Unit, file)
	b.WriteString("    owner: root\n    group: root\n    mode: \"0644\"\n    content: !unsafe |\n")
	for line := range strings.Lines(h.dropin()) {
		if strings.TrimSpace(line) != "" {
			line = "      " + line
		}
		b.WriteString(line)
	}
	b.WriteString("  register: temper_export\n")
	fmt.Fprintf(&b, "\n- name: Restart %s with its hardening\n  ansible.builtin.systemd:\n    name: %s\n",
		h.Verdict.Unit, name)
	b.WriteString("    daemon_reload: true\n    state: restarted\n  when: temper_export is changed\n")
	return b.String()
}
