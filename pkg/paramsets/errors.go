package paramsets

import (
	"fmt"
	"slices"
	"strings"

	"ninjaone-auth/pkg/failure"
)

const seeHelp = "See Get-Help Connect-NinjaOne -Full for the parameter sets and examples."

// ambiguous is the error of a call that fits no set, or several.
func ambiguous(bound subset) *failure.Error {
	recommendation := "Use exactly one of -UseWebAuth, -UseTokenAuth and -UseClientAuth with -Instance, -ClientId and -ClientSecret, " +
		"or -UseSecretManagement -VaultName -ReadFromSecretVault. "
	if set, surplus := chosenFlow(bound); len(surplus) > 0 {
		recommendation = fmt.Sprintf("Leave out -%s, which the parameter set '%s' does not take. ", strings.Join(surplus, ", -"), set)
	}
	return &failure.Error{
		ID: failure.AmbiguousParameterSet, Target: "Connect-NinjaOne",
		Message: "Parameter set cannot be resolved using the specified named parameters. " +
			"One or more parameters issued cannot be used together or an insufficient number of parameters were provided.",
		Recommendation: recommendation + seeHelp,
	}
}

// chosenFlow is the set of the one flow's switch in a subset, and names what that set lacks of the subset; nothing for none or
// several switches.
func chosenFlow(bound subset) (set string, surplus []string) {
	for _, flow := range flows {
		if bound&(1<<find(flow.chooser)) == 0 {
			continue
		}
		if set != "" {
			return "", nil
		}
		set = flow.set
	}
	for i, p := range Parameters {
		of := func(m Membership) bool { return m.Set == set }
		if set != "" && bound&(1<<i) != 0 && !slices.ContainsFunc(p.Sets, of) {
			surplus = append(surplus, p.Name)
		}
	}
	return set, surplus
}

func missingMandatory(names []string, set string, bound subset) *failure.Error {
	recommendation := fmt.Sprintf("Add -%s (parameter set '%s'). ", strings.Join(names, ", -"), set)
	if flow, surplus := chosenFlow(bound); flow != set && len(surplus) > 0 {
		recommendation += fmt.Sprintf("Or leave out -%s, which the parameter set '%s' does not take. ", strings.Join(surplus, ", -"), flow)
	}
	return &failure.Error{
		ID: failure.MissingMandatoryParameter, Target: strings.Join(names, " "),
		Message:        fmt.Sprintf("Cannot process command because of one or more missing mandatory parameters: %s.", strings.Join(names, " ")),
		Recommendation: recommendation + seeHelp,
	}
}

func notFound(name string) *failure.Error {
	name = failure.Clean(name)
	return &failure.Error{
		ID: failure.NamedParameterNotFound, Target: name,
		Message:        fmt.Sprintf("A parameter cannot be found that matches parameter name '%s'.", name),
		Recommendation: seeHelp,
	}
}

func alreadyBound(p Parameter) *failure.Error {
	return &failure.Error{
		ID: failure.ParameterAlreadyBound, Target: p.Name,
		Message:        fmt.Sprintf("Cannot bind parameter because parameter '%s' is specified more than once.", p.Name),
		Recommendation: "Give the parameter once.",
	}
}

// transformation is for a value of a type that does not convert; problem must not hold a secret.
func transformation(p Parameter, problem string) *failure.Error {
	return &failure.Error{
		ID: failure.ParameterArgumentTransformationError, Target: p.Name,
		Message:        fmt.Sprintf("Cannot process argument transformation on parameter '%s'. %s", p.Name, problem),
		Recommendation: fmt.Sprintf("-%s takes %s.", p.Name, accepted[p.Type]),
	}
}

var accepted = map[Type]string{
	Switch:  "no value, or $true or $false",
	String:  "one string",
	Strings: "a string (several scopes separated by spaces) or an array of strings",
	URI:     "a full http or https address, for example http://localhost:9090/",
	Int32:   "a whole number from 1 to 65535",
}

func validation(p Parameter, problem, recommendation string) *failure.Error {
	return &failure.Error{
		ID: failure.ParameterArgumentValidationError, Target: p.Name,
		Message:        fmt.Sprintf("Cannot validate argument on parameter '%s'. %s", p.Name, problem),
		Recommendation: recommendation,
	}
}

func emptyString(p Parameter) *failure.Error {
	return &failure.Error{
		ID: failure.ParameterArgumentValidationErrorEmptyStringNotAllowed, Target: p.Name,
		Message:        fmt.Sprintf("Cannot bind argument to parameter '%s' because it is an empty string.", p.Name),
		Recommendation: fmt.Sprintf("Give -%s a value; check that the variable passed to it is set.", p.Name),
	}
}
