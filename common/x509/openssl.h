// The handles of OpenSSL that this folder works with, and the errors of both. Seen by its .cc files alone.
#ifndef CHARTLY_COMMON_X509_OPENSSL_H_
#define CHARTLY_COMMON_X509_OPENSSL_H_

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>
#include <openssl/x509v3.h>

#include <memory>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "common/handle/handle.h"

namespace chartly::x509 {

using BioHandle = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using KeyHandle = std::unique_ptr<EVP_PKEY, FreedBy<EVP_PKEY_free>>;
using CertificateHandle = std::unique_ptr<X509, FreedBy<X509_free>>;
using RequestHandle = std::unique_ptr<X509_REQ, FreedBy<X509_REQ_free>>;
using ExtensionHandle = std::unique_ptr<X509_EXTENSION, FreedBy<X509_EXTENSION_free>>;
using NamesHandle = std::unique_ptr<GENERAL_NAMES, FreedBy<GENERAL_NAMES_free>>;

// Null if the text holds none.
KeyHandle ReadPrivateKey(const std::string& pem);
CertificateHandle ReadPem(const std::string& pem);
RequestHandle ReadRequest(const std::string& pem);
// What was written to a BIO in memory.
std::string TextOf(BIO* bio);
// Internal (X509_FAILED): "cannot WHAT", with what the library said last. Clears its errors.
absl::Status OpenSslError(absl::string_view what);
// Unavailable (IDENTITY_FILE_FAILED): the file at `path` cannot be written, with what errno says.
absl::Status CannotWrite(const std::string& path);

}  // namespace chartly::x509

#endif  // CHARTLY_COMMON_X509_OPENSSL_H_
