package flows

import (
	"fmt"
	"strings"
	"time"

	"ninjaone-auth/pkg/callback"
	"ninjaone-auth/pkg/failure"
)

func (c *Client) needsUser(because string) *failure.Error {
	return &failure.Error{
		ID: failure.SignInNeedsUser, Target: c.App.BaseURL,
		Message: fmt.Sprintf("-UseWebAuth needs someone who signs in with a browser, and %s; nothing was opened.", because),
		Recommendation: "Use -UseClientAuth, or -UseTokenAuth with a refresh token, in scripts and scheduled jobs; " +
			"or run Connect-NinjaOne -UseWebAuth in an interactive PowerShell.",
	}
}

// signInTimedOut names the causes for which NinjaOne shows an error page and never redirects (docs/module-contract.md).
func (c *Client) signInTimedOut(request AuthorizationCode, timeout time.Duration) *failure.Error {
	return &failure.Error{
		ID: failure.SignInTimedOut, Target: c.App.BaseURL,
		Message: fmt.Sprintf("Nobody came back from %s within %g seconds. The redirect URI that was sent is '%s'.", c.App.BaseURL, timeout.Seconds(), request.RedirectURI),
		Recommendation: fmt.Sprintf("If the browser showed an error page of NinjaOne, then either the redirect URI or the client id is not as registered: "+
			"compare '%s' (to the letter, trailing slash included) and '%s' with Administration > Apps > API; "+
			"or the application lives in another region: try another -Instance than '%s'. "+
			"Otherwise run Connect-NinjaOne again; %s allows a longer wait.",
			request.RedirectURI, c.App.ClientID, c.App.Instance, timeoutVariable),
	}
}

func (c *Client) intercepted() *failure.Error {
	return &failure.Error{
		ID: failure.SignInIntercepted, Target: c.App.BaseURL,
		Message: "The address that was opened in the browser was also opened by something else on this machine, so the sign-in was ended.",
		Recommendation: "Run Connect-NinjaOne again. If it happens again, find out which program or user opens such addresses; " +
			"-UseClientAuth and -UseTokenAuth need no browser.",
	}
}

func (c *Client) issuerMismatch(issuer string) *failure.Error {
	return &failure.Error{
		ID: failure.IssuerMismatch, Target: c.App.BaseURL,
		Message:        fmt.Sprintf("The response in the browser came from '%s' instead of '%s', so it was not used.", failure.Clean(issuer, c.App.ClientSecret), c.App.BaseURL),
		Recommendation: "Run Connect-NinjaOne again and sign in only on the page that it opens; check -Instance. If it happens again, tell your NinjaOne administrator.",
	}
}

// authorizationError is for the error codes of RFC 6749 section 4.1.2.1.
func (c *Client) authorizationError(response *callback.Response, request AuthorizationCode) *failure.Error {
	const settings = "under Administration > Apps > API in NinjaOne"
	failed := func(id failure.ID, recommendation, message string, values ...any) *failure.Error {
		told := ""
		if description := failure.Clean(response.Description, c.App.ClientSecret); description != "" {
			told = fmt.Sprintf(" NinjaOne says: %s.", strings.TrimSuffix(description, "."))
		}
		return c.failed(id, recommendation, message, values...).With(told, "")
	}
	switch response.Error {
	case "access_denied":
		return failed(failure.SignInDenied, "Run Connect-NinjaOne again and allow the access, as a user who may use the scopes asked for.",
			"The sign-in of '%s' at %s was refused.", c.App.ClientID, c.App.BaseURL)
	case "invalid_scope":
		return failed(failure.InvalidScope, "Pass the application's own scopes with -Scopes, or add the missing ones "+settings+".",
			"The application '%s' may not have the scopes '%s'.", c.App.ClientID, strings.Join(request.Scopes, " "))
	case "unauthorized_client":
		return failed(failure.UnauthorizedClient, "Allow the grant type for the application "+settings+", or use -UseClientAuth.",
			"The application '%s' may not use the grant type authorization_code.", c.App.ClientID)
	case "unsupported_response_type":
		return failed(failure.UnsupportedResponseType, "Check that the application's platform allows the authorization code grant "+settings+", or use -UseClientAuth.",
			"%s does not offer the sign-in with a code to '%s'.", c.App.BaseURL, c.App.ClientID)
	case "invalid_request":
		return failed(failure.InvalidRequest, fmt.Sprintf("Compare -ClientId, -Scopes and the redirect URI '%s' with the application's settings %s.", request.RedirectURI, settings),
			"%s rejected the sign-in request as invalid.", c.App.BaseURL)
	case "temporarily_unavailable":
		return failed(failure.ServiceUnavailable, "Check NinjaOne's status page and run Connect-NinjaOne again later.",
			"%s can't serve sign-ins at the moment.", c.App.BaseURL)
	case "server_error":
		return failed(failure.ServerError, "Run Connect-NinjaOne again; if it stays so, check NinjaOne's status page or ask its support.",
			"%s had an error of its own during the sign-in.", c.App.BaseURL)
	}
	return failed(failure.AuthorizationFailed, "Check the application's settings "+settings+", then run Connect-NinjaOne again.",
		"%s ended the sign-in with the error '%s'.", c.App.BaseURL, failure.Clean(response.Error, c.App.ClientSecret))
}
