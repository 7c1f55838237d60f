package profiles

import "strings"

// oldNames are old names that systemd still reads but profiles do not, with the current names; see NEWS of systemd 231.
var oldNames = map[string]string{
	"InaccessibleDirectories": "InaccessiblePaths",
	"ReadOnlyDirectories":     "ReadOnlyPaths",
	"ReadWriteDirectories":    "ReadWritePaths",
}

// foreign reports whether systemd has a directive that no profile can set, since it does not say what a service is
// forbidden, but what the service does or how much it may use.
func foreign(name string) bool {
	return strings.Contains(foreignNames, " "+name+" ")
}

// foreignNames are the directives that systemd 257 and 262 list for [Unit], [Service] and [Install] in
// "systemd --dump-configuration-items" and that are not in the table of internal/directive.
const foreignNames = " " +
	"After Alias AllowIsolate AllowedCPUs AllowedMemoryNodes Also AppArmorProfile AssertACPower AssertArchitecture " +
	"AssertCPUFeature AssertCPUPressure AssertCPUs AssertCapability AssertControlGroupController AssertCredential " +
	"AssertDirectoryNotEmpty AssertEnvironment AssertFileIsExecutable AssertFileNotEmpty AssertFirstBoot " +
	"AssertFraction AssertGroup AssertHost AssertIOPressure AssertKernelCommandLine AssertKernelModuleLoaded " +
	"AssertKernelVersion AssertMachineTag AssertMemory AssertMemoryPressure AssertNeedsUpdate AssertOSRelease " +
	"AssertPathExists AssertPathExistsGlob AssertPathIsDirectory AssertPathIsEncrypted AssertPathIsMountPoint " +
	"AssertPathIsReadWrite AssertPathIsSocket AssertPathIsSymbolicLink AssertSecurity AssertUser AssertVersion " +
	"AssertVirtualization BPFDelegateAttachments BPFDelegateCommands BPFDelegateMaps BPFDelegatePrograms BPFProgram " +
	"Before BindLogSockets BindNetworkInterface BindPaths BindReadOnlyPaths BindTo BindsTo BlockIOAccounting " +
	"BlockIODeviceWeight BlockIOReadBandwidth BlockIOWeight BlockIOWriteBandwidth BusName CPUAccounting CPUAffinity " +
	"CPUPressureThresholdSec CPUPressureWatch CPUQuota CPUQuotaPeriodSec CPUSchedulingPolicy CPUSchedulingPriority " +
	"CPUSchedulingResetOnFork CPUSetPartition CPUShares CPUWeight CacheDirectory CacheDirectoryAccounting " +
	"CacheDirectoryMode CacheDirectoryQuota CollectMode ConditionACPower ConditionArchitecture ConditionCPUFeature " +
	"ConditionCPUPressure ConditionCPUs ConditionCapability ConditionControlGroupController ConditionCredential " +
	"ConditionDirectoryNotEmpty ConditionEnvironment ConditionFileIsExecutable ConditionFileNotEmpty " +
	"ConditionFirmware ConditionFirstBoot ConditionFraction ConditionGroup ConditionHost ConditionIOPressure " +
	"ConditionKernelCommandLine ConditionKernelModuleLoaded ConditionKernelVersion ConditionMachineTag " +
	"ConditionMemory ConditionMemoryPressure ConditionNeedsUpdate ConditionOSRelease ConditionPathExists " +
	"ConditionPathExistsGlob ConditionPathIsDirectory ConditionPathIsEncrypted ConditionPathIsMountPoint " +
	"ConditionPathIsReadWrite ConditionPathIsSocket ConditionPathIsSymbolicLink ConditionSecurity ConditionUser " +
	"ConditionVersion ConditionVirtualization ConfigurationDirectory ConfigurationDirectoryMode Conflicts " +
	"CoredumpFilter CoredumpReceive DefaultDependencies DefaultInstance DefaultMemoryLow DefaultMemoryMin " +
	"DefaultStartupMemoryLow DelegateNamespaces DelegateSubgroup Description DisableControllers Documentation " +
	"Environment EnvironmentFile ExecCondition ExecReload ExecReloadPost ExecSearchPath ExecStart ExecStartPost " +
	"ExecStartPre ExecStop ExecStopPost ExitType ExtensionDirectories ExtensionImagePolicy ExtensionImages " +
	"FailureAction FailureActionExitStatus FileDescriptorStoreMax FileDescriptorStorePreserve FinalKillSignal Group " +
	"GuessMainPID IOAccounting IODeviceLatencyTargetSec IODeviceWeight IOPressureThresholdSec IOPressureWatch " +
	"IOReadBandwidthMax IOReadIOPSMax IOSchedulingClass IOSchedulingPriority IOWeight IOWriteBandwidthMax " +
	"IOWriteIOPSMax IPAccounting IPCNamespacePath IPEgressFilterPath IPIngressFilterPath IgnoreOnIsolate " +
	"IgnoreSIGPIPE ImportCredential InaccessibleDirectories JobRunningTimeoutSec JobTimeoutAction " +
	"JobTimeoutRebootArgument JobTimeoutSec JoinsNamespaceOf KillMode KillSignal LUOSession LimitAS LimitCORE " +
	"LimitCPU LimitDATA LimitFSIZE LimitLOCKS LimitMEMLOCK LimitMSGQUEUE LimitNICE LimitNOFILE LimitNPROC LimitRSS " +
	"LimitRTPRIO LimitRTTIME LimitSIGPENDING LimitSTACK LoadCredential LoadCredentialEncrypted LogExtraFields " +
	"LogFilterPatterns LogLevelMax LogNamespace LogRateLimitBurst LogRateLimitIntervalSec LogsDirectory " +
	"LogsDirectoryAccounting LogsDirectoryMode LogsDirectoryQuota ManagedOOMMemoryPressure " +
	"ManagedOOMMemoryPressureDurationSec ManagedOOMMemoryPressureLimit ManagedOOMPreference ManagedOOMSwap " +
	"MemoryAccounting MemoryHigh MemoryKSM MemoryLimit MemoryLow MemoryMax MemoryMin MemoryPressureThresholdSec " +
	"MemoryPressureWatch MemorySwapMax MemoryTHP MemoryZSwapMax MemoryZSwapWriteback MountAPIVFS MountFlags " +
	"MountImagePolicy MountImages NFTSet NUMAMask NUMAPolicy NetworkNamespacePath Nice NonBlocking OOMPolicy " +
	"OOMRules OOMScoreAdjust OnFailure OnFailureIsolate OnFailureJobMode OnSuccess OnSuccessJobMode OpenFile " +
	"PAMName PIDFile PartOf PassEnvironment PermissionsStartOnly Personality PrivateBPF PropagateReloadFrom " +
	"PropagateReloadTo PropagatesReloadTo PropagatesStopTo ReadOnlyDirectories ReadWriteDirectories RebootArgument " +
	"RefreshOnReload RefuseManualStart RefuseManualStop ReloadPropagatedFrom ReloadSignal RemainAfterExit " +
	"RequiredBy Requires RequiresMountsFor RequiresOverridable Requisite RequisiteOverridable Restart " +
	"RestartForceExitStatus RestartKillSignal RestartMaxDelaySec RestartMode RestartPreventExitStatus " +
	"RestartRandomizedDelaySec RestartSec RestartSteps RestrictFileSystems RestrictNetworkInterfaces RootDirectory " +
	"RootDirectoryStartOnly RootEphemeral RootHash RootHashSignature RootImage RootImageOptions RootImagePolicy " +
	"RootMStack RootVerity RuntimeDirectory RuntimeDirectoryMode RuntimeDirectoryPreserve RuntimeMaxSec " +
	"RuntimeRandomizedExtraSec SELinuxContext SecureBits SendSIGHUP SendSIGKILL SetCredential " +
	"SetCredentialEncrypted SetLoginEnvironment Slice SmackProcessLabel SocketBindAllow SocketBindDeny Sockets " +
	"SourcePath StandardError StandardInput StandardInputData StandardInputText StandardOutput StartLimitAction " +
	"StartLimitBurst StartLimitInterval StartLimitIntervalSec StartupAllowedCPUs StartupAllowedMemoryNodes " +
	"StartupBlockIOWeight StartupCPUShares StartupCPUWeight StartupIOWeight StartupMemoryHigh StartupMemoryLow " +
	"StartupMemoryMax StartupMemorySwapMax StartupMemoryZSwapMax StateDirectory StateDirectoryAccounting " +
	"StateDirectoryMode StateDirectoryQuota StopPropagatedFrom StopWhenUnneeded SuccessAction " +
	"SuccessActionExitStatus SuccessExitStatus SupplementaryGroups SurviveFinalKillSignal SyslogFacility " +
	"SyslogIdentifier SyslogLevel SyslogLevelPrefix SystemCallLog TTYColumns TTYPath TTYReset TTYRows TTYVHangup " +
	"TTYVTDisallocate TasksAccounting TasksMax TemporaryFileSystem TimeoutAbortSec TimeoutCleanSec TimeoutSec " +
	"TimeoutStartFailureMode TimeoutStartSec TimeoutStopFailureMode TimeoutStopSec TimerSlackNSec Type " +
	"USBFunctionDescriptors USBFunctionStrings UnsetEnvironment UpheldBy Upholds User UserNamespacePath " +
	"UtmpIdentifier UtmpMode WantedBy Wants WantsMountsFor WatchdogSec WatchdogSignal WorkingDirectory "
