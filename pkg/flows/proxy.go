package flows

import (
	"cmp"
	"net/http"
	"net/url"
	"os"
	"slices"
	"strings"

	"golang.org/x/net/http/httpproxy"

	"ninjaone-auth/pkg/failure"
)

// proxyFor is the proxy for a request: the environment's, else Windows' own. NO_PROXY exempts from both.
func proxyFor(request *http.Request) (*url.URL, error) {
	settings := environmentProxy()
	if settings.HTTPSProxy == "" {
		proxy, err := systemProxy(request)
		if err != nil {
			return nil, err
		}
		if proxy != nil {
			settings.HTTPSProxy = proxy.String()
		}
	}
	return settings.ProxyFunc()(request.URL)
}

// environmentProxy reads the variables in net/http's order.
func environmentProxy() httpproxy.Config {
	return httpproxy.Config{
		HTTPSProxy: cmp.Or(os.Getenv("HTTPS_PROXY"), os.Getenv("https_proxy")), NoProxy: cmp.Or(os.Getenv("NO_PROXY"), os.Getenv("no_proxy")),
	}
}

// checkProxy refuses an HTTPS_PROXY that is no address, which net/http would take for none.
func checkProxy() error {
	value := environmentProxy().HTTPSProxy
	if value != "" && !strings.Contains(value, "://") {
		value = "http://" + value
	}
	address, err := url.Parse(value)
	if value == "" || err == nil && address.Hostname() != "" && slices.Contains([]string{"http", "https", "socks5", "socks5h"}, address.Scheme) {
		return nil
	}
	return &failure.Error{
		ID: failure.InvalidSetting, Target: "HTTPS_PROXY",
		Message:        "HTTPS_PROXY holds no address of a proxy.",
		Recommendation: "Set HTTPS_PROXY to http://host:port, or remove it if there is no proxy.",
	}
}
