package paramsets

import (
	"cmp"
	"encoding/json"
	"slices"
	"strings"

	"ninjaone-auth/pkg/session"
)

// Argument is one named argument as the caller gave it: the name in any case, the value as JSON.
type Argument struct {
	Name  string
	Value json.RawMessage
}

// Values are the arguments of a call, converted, and the set that they mean. A value that was not given is its zero, but
// SecretPrefix is then the default one.
type Values struct {
	ParameterSet string

	UseWebAuth, UseTokenAuth, UseClientAuth bool
	Instance, ClientID, ClientSecret        string
	Scopes                                  []string
	RedirectURL                             string
	Port                                    int
	RefreshToken                            string
	ShowTokens                              bool
	UseSecretManagement                     bool
	VaultName                               string
	WriteToSecretVault, ReadFromSecretVault bool
	SecretPrefix                            string
	ParseDateTimes                          bool

	bound subset
}

// Given tells whether a parameter was given, if only as $false.
func (v *Values) Given(name string) bool {
	i := find(name)
	return i >= 0 && v.bound&(1<<i) != 0
}

// Bind converts the arguments and finds the parameter set, in the order in which PowerShell's binder does it and with
// its errors: first values, then parameters that exclude each other, then unknown names, then the set. A null counts as
// not given (the module passes -ShowTokens:$null); where the set demands the parameter it is the empty string to which
// PowerShell converts it.
func Bind(arguments []Argument) (*Values, error) {
	v := &Values{}
	var null subset
	unknown := ""
	for _, a := range arguments {
		i := find(a.Name)
		if i < 0 {
			if unknown == "" {
				unknown = a.Name
			}
			continue
		}
		p := Parameters[i]
		if v.bound&(1<<i) != 0 {
			return nil, alreadyBound(p)
		}
		if string(a.Value) == "null" {
			null |= 1 << i
			continue
		}
		if err := v.set(p, a.Value); err != nil {
			return nil, err
		}
		v.bound |= 1 << i
	}
	if candidates(v.bound) == 0 {
		return nil, ambiguous(v.bound)
	}
	if unknown != "" {
		return nil, notFound(unknown)
	}
	set, lacking, err := resolve(v.bound)
	switch {
	case err != nil:
		return nil, err
	case len(lacking) > 0:
		return nil, missingOrNull(lacking, set, v.bound, null)
	}
	v.ParameterSet = set
	v.SecretPrefix = cmp.Or(v.SecretPrefix, session.DefaultSecretPrefix)
	return v, v.checkSwitches()
}

// missingOrNull is the error of the first string that is missing because it was null, else that of all that are missing.
func missingOrNull(names []string, set string, bound, null subset) error {
	for _, name := range names {
		if i := find(name); null&(1<<i) != 0 && Parameters[i].Type == String {
			_, err := toString(Parameters[i], json.RawMessage("null"))
			return err
		}
	}
	return missingMandatory(names, set, bound)
}

func find(name string) int {
	return slices.IndexFunc(Parameters, func(p Parameter) bool { return strings.EqualFold(p.Name, name) })
}

func (p Parameter) mandatorySomewhere() bool {
	return slices.ContainsFunc(p.Sets, func(m Membership) bool { return m.Mandatory })
}

// set converts one value and keeps it.
func (v *Values) set(p Parameter, value json.RawMessage) (err error) {
	if holdsHalfAPair(value) {
		return transformation(p, "It holds half of a surrogate pair, which is no character.")
	}
	switch p.Type {
	case Switch:
		*v.switchNamed(p.Name), err = toSwitch(p, value)
	case String:
		*v.stringNamed(p.Name), err = toString(p, value)
	case Strings:
		v.Scopes, err = toScopes(p, value)
	case URI:
		v.RedirectURL, err = toURI(p, value)
	case Int32:
		v.Port, err = toPort(p, value)
	}
	return err
}

func (v *Values) switchNamed(name string) *bool {
	return map[string]*bool{
		"UseWebAuth": &v.UseWebAuth, "UseTokenAuth": &v.UseTokenAuth, "UseClientAuth": &v.UseClientAuth,
		"ShowTokens": &v.ShowTokens, "UseSecretManagement": &v.UseSecretManagement,
		"WriteToSecretVault": &v.WriteToSecretVault, "ReadFromSecretVault": &v.ReadFromSecretVault,
		"ParseDateTimes": &v.ParseDateTimes,
	}[name]
}

func (v *Values) stringNamed(name string) *string {
	return map[string]*string{
		"Instance": &v.Instance, "ClientId": &v.ClientID, "ClientSecret": &v.ClientSecret,
		"RefreshToken": &v.RefreshToken, "VaultName": &v.VaultName, "SecretPrefix": &v.SecretPrefix,
	}[name]
}
