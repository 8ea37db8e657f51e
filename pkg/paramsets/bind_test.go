package paramsets

import (
	"encoding/json"
	"errors"
	"slices"
	"strings"
	"testing"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

// bind takes arguments as name=JSON.
func bind(arguments ...string) (*Values, error) {
	var list []Argument
	for _, a := range arguments {
		name, value, _ := strings.Cut(a, "=")
		list = append(list, Argument{name, json.RawMessage(value)})
	}
	return Bind(list)
}

// bindAnd binds a complete web sign-in and further arguments.
func bindAnd(arguments ...string) (*Values, error) {
	return bind(append([]string{`UseWebAuth=true`, `Instance="eu"`, `ClientId="id"`, `ClientSecret="s3cret"`}, arguments...)...)
}

func TestValues(t *testing.T) {
	v, err := bind(`useWEBauth={"IsPresent":true}`, `INSTANCE="EU"`, `clientid=5`, `ClientSecret="s3cret"`, `Scopes=["a b","c","a"]`,
		`Port=" 0x1F90 "`, `RedirectURL="https://Redirect.example.uk:9090/auth"`, `ShowTokens=null`, `ParseDateTimes=false`)
	if err != nil {
		t.Fatal(err)
	}
	if v.ParameterSet != AuthorisationCode || !v.UseWebAuth || v.Instance != "EU" || v.ClientID != "5" || v.Port != 8080 ||
		!slices.Equal(v.Scopes, []string{"a", "b", "c"}) || v.RedirectURL != "https://Redirect.example.uk:9090/auth" {
		t.Errorf("bound %+v", v)
	}
	if v.Given("ShowTokens") || !v.Given("parsedatetimes") || v.Given("VaultName") {
		t.Error("Given: null counts as not given, false as given")
	}
}

func TestPortsAsTheEngineConvertsThem(t *testing.T) {
	for value, want := range map[string]int{`9090`: 9090, `"9090"`: 9090, `9.5`: 10, `8.5`: 8, `"1e3"`: 1000, `true`: 1} {
		if v, err := bindAnd("Port=" + value); err != nil || v.Port != want {
			t.Errorf("Port %s: got %+v, %v; want %d", value, v, err, want)
		}
	}
}

func TestRefusals(t *testing.T) {
	transformation, validation, empty := failure.ParameterArgumentTransformationError, failure.ParameterArgumentValidationError, failure.ParameterArgumentValidationErrorEmptyStringNotAllowed
	none := failure.ID{}
	for _, c := range []struct {
		argument string
		id       failure.ID
		names    string
	}{
		{`Port="abc"`, transformation, "abc"},
		{`Port=3000000000`, transformation, "3000000000"},
		{`Port=[1]`, transformation, "Port"},
		{`Port=0`, validation, "1"},
		{`Port=65536`, validation, "65535"},
		{`Port=""`, validation, "Port"},
		{`RedirectURL="foo"`, validation, "foo"},
		{`RedirectURL="ftp://x/"`, validation, "http"},
		{`RedirectURL="http://localhost:9090/#x"`, validation, "fragment"},
		{`RedirectURL="http://[bad"`, transformation, "bad"},
		{`RedirectURL=""`, validation, "RedirectURL"},
		{`Scopes={"a":1}`, transformation, "Scopes"},
		{`Scopes="mönitoring"`, validation, "Scopes"},
		{`VaultName=""`, empty, "VaultName"},
		{`VaultName="a\ud800b"`, transformation, "surrogate"},
		{`Scopes=["\uDE00"]`, transformation, "surrogate"},
		{`VaultName="\ud83d\ude00 \ufffd �"`, none, ""},
		{`VaultName="System.Security.SecureString"`, transformation, "SecureString"},
		{`VaultName=null`, none, ""},
		{`UseTokenAuth=null`, none, ""},
		{`UseSecretManagement="yes"`, transformation, "UseSecretManagement"},
		{`ShowTokens=1`, transformation, "ShowTokens"},
		{`port=9090`, none, ""},
		{`Bogus=1`, failure.NamedParameterNotFound, "Bogus"},
		{`usewebauth=true`, failure.ParameterAlreadyBound, "UseWebAuth"},
	} {
		_, err := bindAnd(c.argument)
		var failed *failure.Error
		switch {
		case c.id == none && err == nil:
		case !errors.As(err, &failed) || failed.ID != c.id:
			t.Errorf("%s: got %v, want %s", c.argument, err, c.id)
		case !strings.Contains(failed.Message, c.names) || failed.Recommendation == "":
			t.Errorf("%s: message %q and recommendation %q do not name %q", c.argument, failed.Message, failed.Recommendation, c.names)
		}
	}
}

func TestMandatoryValues(t *testing.T) {
	for arguments, id := range map[string]failure.ID{
		`Instance="xx"`:           failure.ParameterArgumentValidationError,
		`Instance=""`:             failure.ParameterArgumentValidationError, // the engine's ValidateSet comes first
		`Instance=null`:           failure.ParameterArgumentValidationError,
		`ClientId=""`:             failure.ParameterArgumentValidationErrorEmptyStringNotAllowed,
		`ClientSecret=null`:       failure.ParameterArgumentValidationErrorEmptyStringNotAllowed,
		`ClientSecret=["s3cret"]`: failure.ParameterArgumentTransformationError,
	} {
		_, err := bind(arguments)
		if !failure.Is(err, id) {
			t.Errorf("%s: got %v, want %s", arguments, err, id)
		}
	}
}

// TestOrderOfErrors follows PowerShell's engine: values, exclusion, unknown names, then the set.
func TestOrderOfErrors(t *testing.T) {
	for _, c := range []struct {
		id        failure.ID
		arguments []string
	}{
		{failure.ParameterArgumentTransformationError, []string{`Bogus=1`, `Port="abc"`, `RefreshToken="r"`, `ShowTokens=true`}},
		{failure.AmbiguousParameterSet, []string{`Bogus=1`, `UseWebAuth=true`, `UseTokenAuth=true`, `ShowTokens=true`}},
		{failure.NamedParameterNotFound, []string{`Bogus=1`, `UseTokenAuth=true`}},
		{failure.AmbiguousParameterSet, []string{`UseTokenAuth=true`}},
		{failure.MissingMandatoryParameter, nil},
	} {
		if _, err := bind(c.arguments...); !failure.Is(err, c.id) {
			t.Errorf("%v: got %v, want %s", c.arguments, err, c.id)
		}
	}
}

// A call that names one flow is told what that does not take.
func TestSurplusIsNamed(t *testing.T) {
	for arguments, want := range map[string]struct {
		id    failure.ID
		words string
	}{
		`UseClientAuth=true Port=9090 RefreshToken="r"`:     {failure.MissingMandatoryParameter, "leave out -Port, -RefreshToken, which the parameter set 'Client Credentials' does not take"},
		`UseWebAuth=true SecretPrefix="p" ShowTokens=true`:  {failure.AmbiguousParameterSet, "Leave out -SecretPrefix, which the parameter set 'Authorisation Code'"},
		`UseWebAuth=true UseTokenAuth=true ShowTokens=true`: {failure.AmbiguousParameterSet, "Use exactly one of"},
		`ReadFromSecretVault=true ShowTokens=true`:          {failure.AmbiguousParameterSet, "Use exactly one of"},
	} {
		_, err := bind(strings.Fields(arguments)...)
		if failed := failure.From(err); failed.ID != want.id || !strings.Contains(failed.Recommendation, want.words) {
			t.Errorf("%s: %s %s", arguments, failed.ID, failed.Recommendation)
		}
	}
}

func TestSecretsAreNotQuoted(t *testing.T) {
	for _, argument := range []string{`ClientSecret=["s3cret"]`, `RefreshToken={"s3cret":1}`} {
		_, err := bind(argument)
		var failed *failure.Error
		if !errors.As(err, &failed) || strings.Contains(failed.Message+failed.Recommendation+failed.Target, "s3cret") {
			t.Errorf("%s: %+v", argument, failed)
		}
	}
}

func TestASwitchThatIsOffAsksForNothing(t *testing.T) {
	for _, arguments := range [][]string{
		{`UseClientAuth=false`, `Instance="eu"`, `ClientId="id"`, `ClientSecret="s"`},
		{`UseSecretManagement=true`, `VaultName="v"`, `ReadFromSecretVault=false`},
		{`UseSecretManagement={"IsPresent":false}`, `VaultName="v"`, `ReadFromSecretVault=true`},
	} {
		if _, err := bind(arguments...); !failure.Is(err, failure.ParameterArgumentValidationError) {
			t.Errorf("%v: %v", arguments, err)
		}
	}
}

func TestModeOfAVaultWrite(t *testing.T) {
	vault := []string{`UseSecretManagement=true`, `VaultName="v"`, `WriteToSecretVault=true`, `Instance="eu"`, `ClientId="id"`, `ClientSecret="s"`, `SecretPrefix="p"`}
	for _, c := range []struct {
		more    string
		mode    session.Mode
		ignored int
	}{
		{`UseClientAuth=true`, session.ModeClientCredentials, 0},
		{`UseClientAuth=true UseTokenAuth=true`, session.ModeToken, 1},
		{`UseClientAuth=true UseTokenAuth=true UseWebAuth=true`, session.ModeAuthorisationCode, 2},
		{`UseWebAuth=false UseClientAuth=true`, session.ModeClientCredentials, 0},
		{`RefreshToken="r"`, session.ModeToken, 0},
		{``, "", 0},
	} {
		v, err := bind(append(slices.Clone(vault), strings.Fields(c.more)...)...)
		if err != nil {
			t.Fatalf("%s: %v", c.more, err)
		}
		mode, ignored, err := v.Mode()
		if mode != c.mode || len(ignored) != c.ignored || (err == nil) != (c.mode != "") {
			t.Errorf("%s: got %q, %v, %v", c.more, mode, ignored, err)
		}
	}
}

func FuzzBind(f *testing.F) {
	f.Add("Port", `"0x1F90"`, "Scopes", `["a b",null]`)
	f.Add("usewebauth", `{"IsPresent":true}`, "RedirectURL", `"http://localhost"`)
	f.Fuzz(func(t *testing.T, name, value, otherName, otherValue string) {
		if !json.Valid([]byte(value)) || !json.Valid([]byte(otherValue)) {
			return
		}
		v, err := Bind([]Argument{{name, json.RawMessage(value)}, {otherName, json.RawMessage(otherValue)}})
		var failed *failure.Error
		if err != nil && (!errors.As(err, &failed) || failed.ID == (failure.ID{}) || failed.Message == "" || failed.Recommendation == "") {
			t.Errorf("an error that is no whole failure: %#v", err)
		}
		if err == nil && v.ParameterSet == "" {
			t.Error("no set and no error")
		}
	})
}

func BenchmarkBind(b *testing.B) {
	arguments := []Argument{
		{"Instance", json.RawMessage(`"eu"`)}, {"ClientId", json.RawMessage(`"AAaaA1aaAaAA"`)},
		{"ClientSecret", json.RawMessage(`"00Z00zz"`)}, {"UseClientAuth", json.RawMessage(`true`)}, {"Scopes", json.RawMessage(`"monitoring control"`)},
	}
	for b.Loop() {
		if _, err := Bind(arguments); err != nil {
			b.Fatal(err)
		}
	}
}
