package flows

import (
	"encoding/json"
	"fmt"
	"net/http"
	"slices"
	"strings"

	"golang.org/x/oauth2"

	"ninjaone-auth/pkg/failure"
	"ninjaone-auth/pkg/session"
)

// refusal is an error response in either of NinjaOne's two shapes (docs/module-contract.md).
type refusal struct {
	Error       string `json:"error"`
	Description string `json:"error_description"`
	ResultCode  string `json:"resultCode"`
	Message     string `json:"errorMessage"`
	IncidentID  string `json:"incidentId"`
}

// refused is for responses that are errors.
func (c *Client) refused(err *oauth2.RetrieveError, a *attempt, g grant) *failure.Error {
	var r refusal
	_ = json.Unmarshal(err.Body, &r) // fields of another type stay empty
	status := err.Response.StatusCode
	var failed *failure.Error
	switch {
	case status == http.StatusTooManyRequests:
		failed = c.failed(failure.RateLimited, "Wait before you run Connect-NinjaOne again, and let jobs share one session by a vault instead of signing in each on its own.",
			"%s refused the token request because there were too many (status 429)%s.", c.App.BaseURL, waitToldBy(a))
	case status >= 500:
		failed = c.failed(failure.ServiceUnavailable, "Check NinjaOne's status page and run Connect-NinjaOne again later.",
			"%s can't serve token requests at the moment (status %d)%s.", c.App.BaseURL, status, waitToldBy(a))
	case status >= 300 && status < 400:
		return c.invalidResponse(fmt.Sprintf("a redirection to %s, which is not followed", c.clean(locationHost(err.Response), g)), err)
	case r == refusal{}:
		return c.invalidResponse(a.describe(), err)
	default:
		failed = c.explain(r, status, g)
	}
	return failed.With(c.told(r, g), "")
}

func (c *Client) failed(id failure.ID, recommendation, message string, values ...any) *failure.Error {
	return &failure.Error{ID: id, Target: c.App.BaseURL, Message: fmt.Sprintf(message, values...), Recommendation: recommendation}
}

// explain names what RFC 6749 section 5.2 and NinjaOne's own codes mean.
func (c *Client) explain(r refusal, status int, g grant) *failure.Error {
	const settings = "under Administration > Apps > API in NinjaOne"
	switch code := r.Error; {
	case strings.EqualFold(r.ResultCode, "Client app not exist"):
		return c.failed(failure.InvalidClient, "Either -ClientId is wrong or the application lives on another instance: compare both with Administration > Apps > API in NinjaOne, "+
			"and try another -Instance ("+strings.Join(session.Instances, ", ")+").",
			"NinjaOne does not know the client id '%s' on the instance '%s' (%s).", c.App.ClientID, c.App.Instance, c.App.BaseURL)
	case code == "unauthorized_client", code == "unsupported_grant_type":
		return c.failed(failure.UnauthorizedClient, "Allow the grant type for the application "+settings+", or sign in another way.",
			"The application '%s' may not use the grant type %s.", c.App.ClientID, g.kind)
	case code == "invalid_scope":
		return c.failed(failure.InvalidScope, "Pass the application's own scopes with -Scopes, or add the missing ones "+settings+". "+
			"Some instances refuse offline_access with -UseClientAuth.",
			"The application '%s' may not have the scopes '%s'.", c.App.ClientID, strings.Join(slices.Concat(g.scopes, g.asked), " "))
	case g.kind == refreshTokenGrant && (code == "invalid_grant" || code == "invalid_token"):
		return c.failed(failure.InvalidRefreshToken, "Sign in again for a new one: Connect-NinjaOne -UseWebAuth … -ShowTokens (with the scope offline_access). "+
			"Scripts that share a refresh token should share it by a vault.",
			"NinjaOne does not accept the refresh token for '%s' on %s: it was used before, has expired or was revoked.", c.App.ClientID, c.App.BaseURL)
	case g.kind == authorizationCode && (code == "invalid_grant" || code == "invalid_token"):
		return c.failed(failure.InvalidGrant, "Run Connect-NinjaOne -UseWebAuth again and finish the sign-in within a minute or so.",
			"NinjaOne does not accept the authorization code that the browser brought back to '%s'.", c.App.ClientID)
	case code == "invalid_client", status == http.StatusUnauthorized:
		return c.failed(failure.InvalidClient, "Check -ClientId, -ClientSecret and -Instance. A lost secret can be replaced "+settings+".",
			"NinjaOne does not accept the client id '%s' with this client secret on the instance '%s'.", c.App.ClientID, c.App.Instance)
	}
	return c.failed(failure.RequestRejected, "Check the application's settings "+settings+"; give NinjaOne's support the incident id, if there is one.",
		"%s rejected the token request (status %d).", c.App.BaseURL, status)
}

// told passes on what NinjaOne itself said.
func (c *Client) told(r refusal, g grant) string {
	var said []string
	for _, text := range []string{r.Error, r.Description, r.ResultCode, r.Message} {
		if text = c.clean(text, g); text != "" {
			said = append(said, text)
		}
	}
	told := ""
	if len(said) > 0 {
		told = fmt.Sprintf(" NinjaOne says: %s.", strings.TrimSuffix(strings.Join(said, ": "), "."))
	}
	if id := c.clean(r.IncidentID, g); id != "" {
		told += fmt.Sprintf(" Incident id: %s.", id)
	}
	return told
}

func (c *Client) clean(text string, g grant, more ...string) string {
	return failure.Clean(text, append(more, c.App.ClientSecret, g.secret, g.params.Get("code_verifier"))...)
}

func waitToldBy(a *attempt) string {
	if wait, told := a.retryAfter(); told {
		return fmt.Sprintf("; it asks to wait %d seconds", int(wait.Seconds()))
	}
	return ""
}

func locationHost(response *http.Response) string {
	location, err := response.Location()
	if err != nil {
		return "nowhere"
	}
	return location.Host
}
