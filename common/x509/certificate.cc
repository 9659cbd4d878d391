#include "common/x509/certificate.h"

#include <fcntl.h>
#include <openssl/evp.h>
#include <openssl/sha.h>
#include <openssl/x509.h>
#include <openssl/x509v3.h>
#include <unistd.h>

#include <cstdio>

#include "absl/strings/escaping.h"
#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/x509/openssl.h"

namespace chartly::x509 {
namespace {

absl::Status Invalid(absl::string_view what) {
  return Error(absl::StatusCode::kInvalidArgument, "CERTIFICATE_INVALID", absl::StrCat("this is no ", what, " in PEM"));
}

absl::StatusOr<absl::Time> TimeOf(const ASN1_TIME* time) {
  std::tm parts{};
  if (ASN1_TIME_to_tm(time, &parts) != 1) return Invalid("certificate");
  return absl::FromTM(parts, absl::UTCTimeZone());
}

std::string UriOf(X509& certificate) {
  const NamesHandle names(
      static_cast<GENERAL_NAMES*>(X509_get_ext_d2i(&certificate, NID_subject_alt_name, nullptr, nullptr)));
  std::string uri;
  for (int i = 0; names != nullptr && i < sk_GENERAL_NAME_num(names.get()); ++i) {
    const GENERAL_NAME* name = sk_GENERAL_NAME_value(names.get(), i);
    if (name->type != GEN_URI) continue;
    if (!uri.empty()) return "";
    const ASN1_IA5STRING* text = name->d.uniformResourceIdentifier;
    uri.assign(reinterpret_cast<const char*>(ASN1_STRING_get0_data(text)), ASN1_STRING_length(text));
  }
  return uri;
}

}  // namespace

absl::StatusOr<std::string> MakePrivateKey() {
  const KeyHandle key(EVP_EC_gen("P-256"));
  if (key == nullptr) return OpenSslError("make a key");
  const BioHandle out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_PKCS8PrivateKey(out.get(), key.get(), nullptr, nullptr, 0, nullptr, nullptr) != 1) {
    return OpenSslError("write a key");
  }
  return TextOf(out.get());
}

absl::StatusOr<std::string> MakeRequest(const std::string& private_key) {
  const KeyHandle key = ReadPrivateKey(private_key);
  const RequestHandle request(X509_REQ_new());
  if (key == nullptr || request == nullptr || X509_REQ_set_pubkey(request.get(), key.get()) != 1 ||
      X509_REQ_sign(request.get(), key.get(), EVP_sha256()) <= 0) {
    return OpenSslError("make a request");
  }
  const BioHandle out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509_REQ(out.get(), request.get()) != 1) return OpenSslError("write a request");
  return TextOf(out.get());
}

absl::StatusOr<CertificateFacts> ReadCertificate(const std::string& certificate) {
  const CertificateHandle read = ReadPem(certificate);
  if (read == nullptr) return Invalid("certificate");
  CertificateFacts facts;
  ASSIGN_OR_RETURN(facts.not_before, TimeOf(X509_get0_notBefore(read.get())));
  ASSIGN_OR_RETURN(facts.not_after, TimeOf(X509_get0_notAfter(read.get())));
  facts.uri = UriOf(*read);
  return facts;
}

absl::StatusOr<std::string> FingerprintOf(const std::string& certificate) {
  const CertificateHandle read = ReadPem(certificate);
  unsigned char digest[SHA256_DIGEST_LENGTH];
  unsigned int size = 0;
  if (read == nullptr || X509_digest(read.get(), EVP_sha256(), digest, &size) != 1) return Invalid("certificate");
  return absl::BytesToHexString(absl::string_view(reinterpret_cast<const char*>(digest), size));
}

absl::Status WriteIdentity(const std::string& path, const std::string& private_key, const std::string& certificate) {
  const std::string temporary = absl::StrCat(path, ".", ::getpid());
  const int fd = ::open(temporary.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
  if (fd < 0) return CannotWrite(temporary);
  const std::string text = private_key + certificate;
  const bool written = ::write(fd, text.data(), text.size()) == static_cast<ssize_t>(text.size()) && ::fsync(fd) == 0;
  ::close(fd);
  if (written && std::rename(temporary.c_str(), path.c_str()) == 0) return absl::OkStatus();
  const absl::Status failed = CannotWrite(path);
  ::unlink(temporary.c_str());
  return failed;
}

}  // namespace chartly::x509
