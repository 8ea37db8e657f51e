package paramsets

import "math/bits"

// subset is a set of parameters, bit i being Parameters[i]; a sets value is one of parameter sets, bit i being setNames[i].
type (
	subset uint32
	sets   uint8
)

var setNames = []string{AuthorisationCode, SecretVaultWrite, TokenAuthentication, ClientCredentials, SecretVaultRead}

const defaultSet sets = 1 // setNames[0]

// belongs[i] are the sets that have Parameters[i]; demands[j] are the mandatory parameters of setNames[j].
var belongs, demands = index()

func index() (belongs []sets, demands []subset) {
	belongs, demands = make([]sets, len(Parameters)), make([]subset, len(setNames))
	for i, p := range Parameters {
		for _, m := range p.Sets {
			for j, name := range setNames {
				if m.Set != name {
					continue
				}
				belongs[i] |= 1 << j
				if m.Mandatory {
					demands[j] |= 1 << i
				}
			}
		}
	}
	return belongs, demands
}

// candidates are the sets that have all of the bound parameters.
func candidates(bound subset) sets {
	all := sets(1<<len(setNames) - 1)
	for i := range Parameters {
		if bound&(1<<i) != 0 {
			all &= belongs[i]
		}
	}
	return all
}

// choose does what PowerShell's binder does with several candidates: it takes the default set if that is one of them,
// else the only one whose mandatory parameters are all bound. Where several are complete it calls the call ambiguous;
// here the set that demands the most wins, so that the help page's EXAMPLE 4 is a Secret Vault Write.
func choose(candidates sets, bound subset) (set int, ok bool) {
	if bits.OnesCount8(uint8(candidates)) == 1 {
		return bits.TrailingZeros8(uint8(candidates)), true
	}
	if candidates&defaultSet != 0 {
		return bits.TrailingZeros8(uint8(defaultSet)), true
	}
	set, most := -1, 0
	for j := range setNames {
		if candidates&(1<<j) == 0 || demands[j]&^bound != 0 {
			continue
		}
		switch n := bits.OnesCount32(uint32(demands[j])); {
		case n > most:
			set, most = j, n
		case n == most:
			set = -1
		}
	}
	return set, set >= 0
}

// missing names a set's mandatory parameters that are not bound, in the table's order.
func missing(set int, bound subset) []string {
	var names []string
	for i, p := range Parameters {
		if demands[set]&^bound&(1<<i) != 0 {
			names = append(names, p.Name)
		}
	}
	return names
}

// resolve returns the set that a subset of the parameters means, and the names of its mandatory parameters that are not
// in the subset.
func resolve(bound subset) (set string, lacking []string, err error) {
	possible := candidates(bound)
	if possible == 0 {
		return "", nil, ambiguous(bound)
	}
	chosen, ok := choose(possible, bound)
	if !ok {
		return "", nil, ambiguous(bound)
	}
	return setNames[chosen], missing(chosen, bound), nil
}
