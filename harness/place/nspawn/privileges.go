package nspawn

// What the root of a container may do, beside what systemd-nspawn(1) permits anyway.

// capabilities are those that systemd-nspawn(1) withholds although they reach nothing outside the container, and that
// services ask for.
var capabilities = []string{"CAP_IPC_LOCK"}

// systemCalls are allowed beside those of systemd-nspawn(1): systemd enforces DeviceAllow=, IPAddressDeny=,
// SocketBindDeny= and RestrictNetworkInterfaces= with bpf(2), and goes on without where it is refused. Without
// CAP_SYS_TIME, which a container does not have, the calls for the clock only tell how exact it is, which time servers
// want to know.
var systemCalls = []string{"bpf", "adjtimex", "clock_adjtime"}
