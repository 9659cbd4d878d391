// Files of the control plane for servers of tests that take TLS: an authority in `dir`/tls, and a certificate of it.
#ifndef CHARTLY_CONTROL_AUTH_CONTROL_FILES_FOR_TEST_H_
#define CHARTLY_CONTROL_AUTH_CONTROL_FILES_FOR_TEST_H_

#include <string>

#include "common/clock/clock.h"
#include "common/rpc/drone_identity.h"
#include "common/rpc/tls.h"
#include "common/x509/authority.h"
#include "common/x509/certificate.h"
#include "test/support/temp_dir.h"
#include "test/support/test.h"

namespace chartly::auth {

// A certificate with these terms, of the authority in that folder, which is made if it is not there. `name`: of its
// file in `dir`.
inline rpc::TlsFiles WriteFilesForTest(const testing::TempDir& dir, const std::string& name,
                                       const x509::CertificateTerms& terms, const std::string& authority_dir) {
  auto authority = x509::Authority::LoadOrCreate(authority_dir, SystemClock().Now());
  REQUIRE_OK(authority);
  auto key = x509::MakePrivateKey();
  REQUIRE_OK(key);
  auto certificate = authority->Sign(*x509::MakeRequest(*key), terms);
  REQUIRE_OK(certificate);
  REQUIRE_OK(x509::WriteIdentity(dir.File(name), *key, *certificate));
  return {dir.File("tls/authority.pem"), dir.File(name), dir.File(name)};
}

inline rpc::TlsFiles WriteControlFilesForTest(const testing::TempDir& dir) {
  x509::CertificateTerms terms;
  terms.uri = rpc::kControlPlaneUri;
  terms.dns_names = {rpc::kControlPlaneName};
  terms.usage = x509::Usage::kServerAndClient;
  terms.not_before = SystemClock().Now();
  terms.not_after = terms.not_before + absl::Hours(1);
  return WriteFilesForTest(dir, "control.pem", terms, dir.File("tls"));
}

}  // namespace chartly::auth

#endif  // CHARTLY_CONTROL_AUTH_CONTROL_FILES_FOR_TEST_H_
