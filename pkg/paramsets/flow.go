package paramsets

import (
	"fmt"
	"slices"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

// flows are the ways to sign in, the one that wins where several are asked for first.
var flows = []struct {
	set     string
	mode    session.Mode
	chooser string // the switch that asks for it
}{
	{AuthorisationCode, session.ModeAuthorisationCode, "UseWebAuth"},
	{TokenAuthentication, session.ModeToken, "UseTokenAuth"},
	{ClientCredentials, session.ModeClientCredentials, "UseClientAuth"},
}

// checkSwitches refuses the set-selecting switches of a call that are off: such a call asks for nothing.
func (v *Values) checkSwitches() error {
	var names []string
	for _, flow := range flows {
		if flow.set == v.ParameterSet {
			names = []string{flow.chooser}
		}
	}
	if v.ParameterSet == SecretVaultRead {
		names = []string{"UseSecretManagement", "ReadFromSecretVault"}
	}
	for _, name := range names {
		if v.Given(name) && !*v.switchNamed(name) {
			return validation(Parameters[find(name)],
				fmt.Sprintf("The switch -%s is $false, so the call asks for no sign-in.", name),
				fmt.Sprintf("Pass -%s without a value, or another of -UseWebAuth, -UseTokenAuth, -UseClientAuth or -ReadFromSecretVault.", name))
		}
	}
	return nil
}

// Mode returns the way in which a call wants its session: that of its set, except for Secret Vault Write, which takes
// several of the flow switches or none. Several mean web, then token, then client, and ignored names the others; none
// means token if there is a refresh token. The set Secret Vault Read has no mode of its own.
func (v *Values) Mode() (mode session.Mode, ignored []string, err error) {
	var modes []session.Mode
	var choosers []string
	for _, flow := range flows {
		if flow.set == v.ParameterSet {
			return flow.mode, nil, nil
		}
		if *v.switchNamed(flow.chooser) {
			modes, choosers = append(modes, flow.mode), append(choosers, flow.chooser)
		}
	}
	switch {
	case len(modes) > 0:
		return modes[0], slices.Delete(choosers, 0, 1), nil
	case v.RefreshToken != "":
		return session.ModeToken, nil, nil
	}
	return "", nil, &failure.Error{
		ID: failure.MissingMandatoryParameter, Target: "UseWebAuth UseTokenAuth UseClientAuth",
		Message:        "Cannot process command because it names no way to sign in: one of the switches UseWebAuth, UseTokenAuth and UseClientAuth is missing.",
		Recommendation: "Add -UseWebAuth, -UseTokenAuth (with -RefreshToken) or -UseClientAuth. " + seeHelp,
	}
}
