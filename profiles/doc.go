// Package profiles reads the TOML files that say which units to harden, how far, and how to check that they still work.
//
// Start with [Load], which reads every profile of a root in search order, and ask the [Set] for the profile of a unit
// with [Set.For]. [LoadFile] reads one file given by its path. Both collect every problem of a file as a [Finding] with
// path, line, what is wrong and what would be right. A bad file is skipped, all others are loaded. Package lint finds
// what is allowed but unwise.
//
// A loaded profile has only sandboxing directives: each is in the table of internal/directive, with values that this
// table accepts. No value can end or continue a line of a unit file, and files of the search path belong to root (see
// [Load]). The package only reads files: it starts no process and opens no socket, so that the generator can use it
// while PID 1 waits.
//
// # Format
//
// A profile is a TOML file of at most [MaxSize] bytes. Its name is its path below the profile directory without
// ".toml": "nginx", or "base/daemon" for one in the subdirectory base, the only one there is. The file
// /etc/temper/profiles.d/nginx.toml replaces the one of that name in /usr/lib; with extends = ["nginx"] it changes it
// instead.
//
//	description = "nginx web server"
//	units       = ["nginx.service"]        # names, templates (foo@.service) or globs; none: only to be extended
//	extends     = ["base/network-daemon"]  # others to start from; later ones and this file replace what earlier ones set
//	draft       = true                     # proven and shown, never applied; default false
//	secrets     = ["/etc/letsencrypt"]     # absolute paths that other services need not see
//	secrets_for = ["certbot.service"]      # units besides this profile's own that may see them
//
//	[service]                              # directives of systemd.exec(5) and systemd.resource-control(5)
//	ProtectSystem  = "strict"              # a string is one assignment
//	PrivateTmp     = true                  # true is "yes", false is "no"
//	ReadWritePaths = ["-/var/lib/nginx"]   # a list is one assignment for each element, in order
//	AmbientCapabilities = []               # an empty list is the empty assignment
//
//	[prove]
//	settle  = "1s"       # must stay up this long; default 1s
//	timeout = "30s"      # for start, reload and stop each; default 30s
//	reload  = true       # reload while running, then check again; default false
//	restart = true       # stop and start again, then check again; default false
//	setup   = ["..."]    # shell command lines, run by root in each place before the first trial; after those of the base
//	container_setup = ["..."] # the same, run only in containers, which are thrown away; after those of setup
//	like_baseline = true # compare sockets, processes, files, mounts, exits and log with the baseline; default true
//	expect  = ["/run/nginx.pid"] # differences that are meant: patterns of paths, or parts of lines of the log
//	state   = "keep"     # or "restore": trials on the host write to copies of the service's data directories; default keep
//	exposure = 2.0       # --strict fails where the hardened service keeps more; default none
//
//	[[check]]
//	name     = "serves the default page"   # default: the kind and its target; the same name replaces the base's check
//	required = true      # false: reported, demotes nothing; default true
//	timeout  = "5s"      # for one attempt; default 5s
//	retry    = "2s"      # try again for so long until it passes; default 2s; "0s": one attempt
//	live     = false     # does no harm to a service that people use: temper apply runs it after a restart
//	phase    = "running" # running, reloaded, restarted or stopped; default: whenever the service runs
//	http     = { url = "http://{address:80}/", status = 200, body = "nginx" } # exactly one kind
//
// In url, address and command {address:80} is an address, and {port:80} a port, at which the service listens: port 80
// if it does, and otherwise each other port of it in turn (see [Check.Where]).
//
// The kinds and their keys: http (url, method, headers, send, status, body), tcp and udp (address, send, expect),
// unix (path, send, expect), exec (a list: the command; or command, user, stdin, status, stdout), file (path, exists,
// contains, mode, owner), dbus (name, path, interface, method, args), journal (must, must_not). Keys that expect text
// (body, expect, stdout, contains) hold a [Pattern]. In what tcp, udp and unix send, \xHH is the byte of that number:
// write it in single quotes, as in '\x00\xff', since in double quotes TOML takes \xff for a letter, which has two
// bytes. Durations are those of [time.ParseDuration].
package profiles
