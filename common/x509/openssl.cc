#include "common/x509/openssl.h"

#include <openssl/err.h>

#include <cerrno>
#include <cstring>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"

namespace chartly::x509 {
namespace {

BioHandle ReaderOf(const std::string& text) {
  return BioHandle(BIO_new_mem_buf(text.data(), static_cast<int>(text.size())));
}

}  // namespace

KeyHandle ReadPrivateKey(const std::string& pem) {
  return KeyHandle(PEM_read_bio_PrivateKey(ReaderOf(pem).get(), nullptr, nullptr, nullptr));
}

CertificateHandle ReadPem(const std::string& pem) {
  return CertificateHandle(PEM_read_bio_X509(ReaderOf(pem).get(), nullptr, nullptr, nullptr));
}

RequestHandle ReadRequest(const std::string& pem) {
  return RequestHandle(PEM_read_bio_X509_REQ(ReaderOf(pem).get(), nullptr, nullptr, nullptr));
}

std::string TextOf(BIO* bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio, &data);
  return std::string(data, static_cast<size_t>(size));
}

absl::Status OpenSslError(absl::string_view what) {
  char text[256] = "no more is known";
  const unsigned long code = ERR_peek_last_error();
  if (code != 0) ERR_error_string_n(code, text, sizeof(text));
  ERR_clear_error();
  return Error(absl::StatusCode::kInternal, "X509_FAILED", absl::StrCat("cannot ", what, ": ", text));
}

absl::Status CannotWrite(const std::string& path) {
  return Error(absl::StatusCode::kUnavailable, "IDENTITY_FILE_FAILED",
               absl::StrCat("cannot write ", path, ": ", std::strerror(errno)), {{"path", path}});
}

}  // namespace chartly::x509
