// Keys, requests and certificates of X.509, as PEM. Keys are P-256. Thread-safe; keeps nothing.
#ifndef CHARTLY_COMMON_X509_CERTIFICATE_H_
#define CHARTLY_COMMON_X509_CERTIFICATE_H_

#include <string>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace chartly::x509 {

// A new private key. A secret.
absl::StatusOr<std::string> MakePrivateKey();
// A request for a certificate of that key. It names nobody: who it is for is decided by who signs it.
absl::StatusOr<std::string> MakeRequest(const std::string& private_key);

struct CertificateFacts {
  absl::Time not_before;
  absl::Time not_after;
  std::string uri;  // the one name that the certificate carries as URI; empty if it has none or several
};

// InvalidArgument (CERTIFICATE_INVALID) if it is none.
absl::StatusOr<CertificateFacts> ReadCertificate(const std::string& certificate);
// Lower-case hex SHA-256 of the certificate (DER).
absl::StatusOr<std::string> FingerprintOf(const std::string& certificate);

// One file with key and certificate, mode 0600, replaced whole: there is no moment at which they do not fit.
// Unavailable (IDENTITY_FILE_FAILED) names the path.
absl::Status WriteIdentity(const std::string& path, const std::string& private_key, const std::string& certificate);

}  // namespace chartly::x509

#endif  // CHARTLY_COMMON_X509_CERTIFICATE_H_
