package keyring

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/signal"
	"syscall"
	"unsafe"

	"golang.org/x/sys/windows"
)

// detach gives the child a console of its own that nobody sees: what is done to the user's, Ctrl+C, Ctrl+Break or closing its
// window, does not reach it.
func detach(child *exec.Cmd) {
	child.SysProcAttr = &syscall.SysProcAttr{HideWindow: true, CreationFlags: windows.CREATE_NO_WINDOW | syscall.CREATE_NEW_PROCESS_GROUP}
}

// ignoreSignals has the child survive logging off for as long as the system lets it. Windows ends a process for what is ignored
// with signal.Ignore, but not for what is caught.
func ignoreSignals() { signal.Notify(make(chan os.Signal, 1), os.Interrupt, syscall.SIGTERM) }

// kill ends the child.
func kill(child *exec.Cmd) { _ = child.Process.Kill() }

// checkPrivate fails for a file whose access list lets others than this user, the system and administrators read it. What is
// denied there is left out, as it can only take away.
func checkPrivate(file *os.File) error {
	descriptor, err := windows.GetSecurityInfo(windows.Handle(file.Fd()), windows.SE_FILE_OBJECT, windows.DACL_SECURITY_INFORMATION)
	if err != nil {
		return err
	}
	list, _, err := descriptor.DACL()
	if err != nil || list == nil {
		return errors.New("it has no access list, so that everybody can read it")
	}
	for i := range uint32(list.AceCount) {
		var entry *windows.ACCESS_ALLOWED_ACE
		if err := windows.GetAce(list, i, &entry); err != nil {
			return err
		}
		const reads = windows.FILE_READ_DATA | windows.GENERIC_READ | windows.GENERIC_ALL
		reader := (*windows.SID)(unsafe.Pointer(&entry.SidStart))
		if entry.Header.AceType != windows.ACCESS_ALLOWED_ACE_TYPE || entry.Mask&reads == 0 || mayRead(reader) {
			continue
		}
		return fmt.Errorf("%s can read it: icacls '%s' /inheritance:r /grant:r \"$($env:USERNAME):F\"", name(reader), file.Name())
	}
	return nil
}

func mayRead(reader *windows.SID) bool {
	user, err := windows.GetCurrentProcessToken().GetTokenUser()
	return err == nil && reader.Equals(user.User.Sid) || reader.IsWellKnown(windows.WinLocalSystemSid) ||
		reader.IsWellKnown(windows.WinBuiltinAdministratorsSid) || reader.IsWellKnown(windows.WinCreatorOwnerRightsSid)
}

func name(account *windows.SID) string {
	if name, _, _, err := account.LookupAccount(""); err == nil {
		return name
	}
	return account.String()
}
