package session

import "strings"

// Instances are the names -Instance takes, the documented three first (docs/module-contract.md, "Instances").
var Instances = []string{"eu", "oc", "us", "ca", "us2", "fed"}

// BaseURL returns the address of an instance, https://eu.ninjarmm.com for eu, and false for a name that is none.
// The name may be in any case; app is another name of us in stored connections.
func BaseURL(instance string) (string, bool) {
	name, ok := CanonicalInstance(instance)
	if !ok {
		return "", false
	}
	if name == "us" {
		name = "app"
	}
	return "https://" + name + ".ninjarmm.com", true
}

// CanonicalInstance returns the instance's name as Instances has it, and false for a name that is none.
func CanonicalInstance(instance string) (string, bool) {
	if strings.EqualFold(instance, "app") {
		return "us", true
	}
	for _, name := range Instances {
		if strings.EqualFold(instance, name) {
			return name, true
		}
	}
	return "", false
}
