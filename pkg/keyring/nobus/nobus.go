// Package nobus keeps D-Bus out of processes that do not need it.
//
// The keyring library connects to the session bus when it is initialised, starts dbus-launch where there is no bus,
// and waits for a bus that does not answer. This package imports nothing but os and its path sorts before os/exec,
// which the library needs, so it is initialised first (Go specification, "Program initialization") and hides the bus
// from every process but the child that works with a keyring on the bus.
package nobus

import (
	"os"
	"strconv"
)

// ChildCommand is the command that makes this program the keyring child; the backend's name follows it.
const ChildCommand = "keyring"

const variable = "DBUS_SESSION_BUS_ADDRESS"

// disabled is no D-Bus address, so that connecting fails at once and without a system call.
const disabled = "disabled"

var address, addressSet = os.LookupEnv(variable)

func init() {
	if !wanted(os.Args) || Reason() != "" {
		os.Setenv(variable, disabled)
	}
}

// Restore gives the environment back its bus address, for child processes. It is called after the library's init.
func Restore() {
	if addressSet {
		os.Setenv(variable, address)
	} else {
		os.Unsetenv(variable)
	}
}

// Reason says why this machine has no session bus, and is empty when it seems to have one.
func Reason() string {
	if address != "" && address != "autolaunch:" {
		return ""
	}
	directory := "/run/user/" + strconv.Itoa(os.Getuid())
	for _, name := range []string{"/bus", "/dbus-session"} {
		if _, err := os.Stat(directory + name); err == nil {
			return ""
		}
	}
	return variable + " is not set and there is no " + directory + "/bus"
}

func wanted(args []string) bool {
	return len(args) == 3 && args[1] == ChildCommand && args[2] == "secret-service"
}
