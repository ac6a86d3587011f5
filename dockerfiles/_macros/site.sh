# shellcheck shell=sh
# Sourced by build steps: lets pip and apt see the site's certificates, proxies and mirrors, for this step alone.
# /site exists only in stages that are thrown away.

if [ -f /site/proxy.env ]; then
  set -a
  # shellcheck source=/dev/null
  . /site/proxy.env
  set +a
fi

if [ -f /site/ca.pem ]; then
  # The site's certificates beside the public ones: some hosts answer directly, others through the site's proxy.
  cat /etc/ssl/certs/ca-certificates.crt /site/ca.pem >/tmp/site-ca.pem 2>/dev/null || cp /site/ca.pem /tmp/site-ca.pem
  export PIP_CERT=/tmp/site-ca.pem SSL_CERT_FILE=/tmp/site-ca.pem REQUESTS_CA_BUNDLE=/tmp/site-ca.pem
fi

if [ -f /site/pip.conf ]; then
  export PIP_CONFIG_FILE=/site/pip.conf
fi

if [ -f /site/apt.conf ]; then
  export APT_CONFIG=/site/apt.conf
fi
