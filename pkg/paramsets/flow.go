package paramsets

import (
	"fmt"
	"slices"
)

// checkSwitches refuses the set-selecting switches of a call that are off: such a call asks for nothing.
func (v *Values) checkSwitches() error {
	selecting := map[string]string{
		AuthorisationCode: "UseWebAuth", TokenAuthentication: "UseTokenAuth", ClientCredentials: "UseClientAuth",
		SecretVaultRead: "UseSecretManagement",
	}
	names := []string{selecting[v.ParameterSet]}
	if v.ParameterSet == SecretVaultRead {
		names = append(names, "ReadFromSecretVault")
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

// Flow returns the set whose flow a call follows: its own, except for Secret Vault Write, which takes several flow
// switches or none. Several follow web, then token, then client, and ignored names the others; none follows token if
// there is a refresh token.
func (v *Values) Flow() (flow string, ignored []string, err error) {
	if v.ParameterSet != SecretVaultWrite {
		return v.ParameterSet, nil, nil
	}
	var flows, switches []string
	for _, choice := range []struct {
		on         bool
		flow, name string
	}{
		{v.UseWebAuth, AuthorisationCode, "UseWebAuth"},
		{v.UseTokenAuth, TokenAuthentication, "UseTokenAuth"},
		{v.UseClientAuth, ClientCredentials, "UseClientAuth"},
	} {
		if choice.on {
			flows, switches = append(flows, choice.flow), append(switches, choice.name)
		}
	}
	switch {
	case len(flows) > 0:
		return flows[0], slices.Delete(switches, 0, 1), nil
	case v.RefreshToken != "":
		return TokenAuthentication, nil, nil
	}
	failed := missingMandatory([]string{"UseWebAuth", "UseTokenAuth", "UseClientAuth"}, SecretVaultWrite)
	failed.Message = "Cannot process command because it names no way to sign in: one of the switches UseWebAuth, UseTokenAuth and UseClientAuth is missing."
	failed.Recommendation = "Add -UseWebAuth, -UseTokenAuth (with -RefreshToken) or -UseClientAuth. " + seeHelp
	return "", nil, failed
}
