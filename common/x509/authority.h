// The certificate authority of a control plane: made at its first start, it signs the certificates of its parts and of
// its drones and is trusted by nobody else.
#ifndef CHARTLY_COMMON_X509_AUTHORITY_H_
#define CHARTLY_COMMON_X509_AUTHORITY_H_

#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace chartly::x509 {

// What a certificate is good for: one side of a connection, or both.
enum class Usage { kClient, kServerAndClient };

struct CertificateTerms {
  std::string uri;                     // who it is for
  std::vector<std::string> dns_names;  // under which it is reached
  Usage usage = Usage::kClient;
  absl::Time not_before;
  absl::Time not_after;
};

// Immutable and so thread-safe.
class Authority {
 public:
  static constexpr absl::Duration kLife = absl::Hours(24 * 3650);

  // The authority in `folder`: authority.key (key and certificate, mode 0600) and authority.pem (the certificate, for
  // whoever is to trust it), made if absent; of processes that start at once on one folder one makes it. Unavailable
  // (IDENTITY_FILE_FAILED), FailedPrecondition (KEY_FILE_OPEN) if others may read the key, DataLoss
  // (AUTHORITY_DAMAGED).
  static absl::StatusOr<Authority> LoadOrCreate(const std::string& folder, absl::Time now);

  const std::string& certificate() const { return certificate_; }
  // A certificate for the key of `request` on these terms; whatever else the request asks for is left out.
  // InvalidArgument (REQUEST_INVALID) if it is no request, is not signed with its own key, or its key is not P-256.
  absl::StatusOr<std::string> Sign(const std::string& request, const CertificateTerms& terms) const;

 private:
  Authority(std::string private_key, std::string certificate)
      : private_key_(std::move(private_key)), certificate_(std::move(certificate)) {}

  std::string private_key_;
  std::string certificate_;
};

}  // namespace chartly::x509

#endif  // CHARTLY_COMMON_X509_AUTHORITY_H_
