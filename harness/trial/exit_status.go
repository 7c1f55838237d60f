package trial

// ExitName is the name of an exit status by which systemd says that it could not set a sandbox up, empty for any other;
// systemd.exec(5), "Process Exit Codes".
func ExitName(status int32) string { return exitNames[status] }

var exitNames = map[int32]string{
	200: "CHDIR", 203: "EXEC", 205: "LIMITS", 210: "CHROOT", 213: "SECUREBITS", 214: "SETSCHEDULER", 216: "GROUP",
	217: "USER", 218: "CAPABILITIES", 219: "CGROUP", 225: "NETWORK", 226: "NAMESPACE", 227: "NO_NEW_PRIVILEGES",
	228: "SECCOMP", 229: "SELINUX_CONTEXT", 230: "PERSONALITY", 231: "APPARMOR_PROFILE", 232: "ADDRESS_FAMILIES",
	233: "RUNTIME_DIRECTORY", 235: "CHOWN", 237: "KEYRING", 238: "STATE_DIRECTORY", 239: "CACHE_DIRECTORY",
	240: "LOGS_DIRECTORY", 241: "CONFIGURATION_DIRECTORY", 243: "CREDENTIALS", 244: "BPF",
}
