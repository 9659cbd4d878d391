#include "common/x509/authority.h"

#include <openssl/rand.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <cerrno>
#include <filesystem>
#include <fstream>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "common/status/status.h"
#include "common/x509/certificate.h"
#include "common/x509/openssl.h"

namespace chartly::x509 {
namespace {

// How long before it is made a certificate is good: clocks of drones may be behind.
constexpr absl::Duration kClockSkew = absl::Minutes(5);

absl::Status RequestInvalid(absl::string_view why) {
  return Error(absl::StatusCode::kInvalidArgument, "REQUEST_INVALID",
               absl::StrCat("the certificate request is no good: ", why));
}

// 127 random bits: no two certificates are the same, and none can be foretold.
bool SetSerial(X509& certificate) {
  unsigned char random[16];
  if (RAND_bytes(random, sizeof(random)) != 1) return false;
  random[0] &= 0x7F;
  BIGNUM* number = BN_bin2bn(random, sizeof(random), nullptr);
  const bool set = number != nullptr && BN_to_ASN1_INTEGER(number, X509_get_serialNumber(&certificate)) != nullptr;
  BN_free(number);
  return set;
}

bool SetTimes(X509& certificate, absl::Time not_before, absl::Time not_after) {
  return ASN1_TIME_set(X509_getm_notBefore(&certificate), absl::ToTimeT(not_before)) != nullptr &&
         ASN1_TIME_set(X509_getm_notAfter(&certificate), absl::ToTimeT(not_after)) != nullptr;
}

bool AddExtension(X509& certificate, X509& issuer, int nid, const std::string& value) {
  X509V3_CTX context;
  X509V3_set_ctx_nodb(&context);
  X509V3_set_ctx(&context, &issuer, &certificate, nullptr, nullptr, 0);
  const ExtensionHandle extension(X509V3_EXT_conf_nid(nullptr, &context, nid, value.c_str()));
  return extension != nullptr && X509_add_ext(&certificate, extension.get(), -1) == 1;
}

std::string NamesOf(const CertificateTerms& terms) {
  std::string names = absl::StrCat("URI:", terms.uri);
  for (const std::string& name : terms.dns_names) absl::StrAppend(&names, ",DNS:", name);
  return names;
}

absl::StatusOr<std::string> PemOf(X509& certificate) {
  const BioHandle out(BIO_new(BIO_s_mem()));
  if (PEM_write_bio_X509(out.get(), &certificate) != 1) return OpenSslError("write a certificate");
  return TextOf(out.get());
}

absl::StatusOr<std::string> MakeRoot(const std::string& private_key, absl::Time now) {
  const KeyHandle key = ReadPrivateKey(private_key);
  const CertificateHandle made(X509_new());
  if (key == nullptr || made == nullptr) return OpenSslError("make an authority");
  X509_NAME* name = X509_get_subject_name(made.get());
  const auto* text = reinterpret_cast<const unsigned char*>("Chartly control plane");
  const bool good = X509_set_version(made.get(), X509_VERSION_3) == 1 && SetSerial(*made) &&
                    SetTimes(*made, now - kClockSkew, now + Authority::kLife) &&
                    X509_NAME_add_entry_by_txt(name, "CN", MBSTRING_ASC, text, -1, -1, 0) == 1 &&
                    X509_set_issuer_name(made.get(), name) == 1 && X509_set_pubkey(made.get(), key.get()) == 1 &&
                    AddExtension(*made, *made, NID_basic_constraints, "critical,CA:TRUE,pathlen:0") &&
                    AddExtension(*made, *made, NID_key_usage, "critical,keyCertSign") &&
                    AddExtension(*made, *made, NID_subject_key_identifier, "hash") &&
                    X509_sign(made.get(), key.get(), EVP_sha256()) > 0;
  if (!good) return OpenSslError("make an authority");
  return PemOf(*made);
}

absl::StatusOr<std::string> ReadSecretFile(const std::string& path) {
  struct stat info;
  if (::stat(path.c_str(), &info) != 0) return CannotWrite(path);
  // As with the admin key: a Secret of Kubernetes reaches a process through its group.
  const mode_t refused = info.st_uid == ::geteuid() ? 077 : 037;
  if ((info.st_mode & refused) != 0) {
    return Error(absl::StatusCode::kFailedPrecondition, "KEY_FILE_OPEN",
                 absl::StrCat("others may read the key file ", path, "; run: chmod 600 ", path), {{"path", path}});
  }
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

// A name beside the file that nobody else writes to, neither another process nor another thread.
std::string NameBeside(const std::string& path) {
  static std::atomic<int> made{0};
  return absl::StrCat(path, ".made.", ::getpid(), ".", ++made);
}

// Made beside and linked, so that of several processes one wins and the others take what it made.
absl::Status MakeFile(const std::string& path, absl::Time now) {
  ASSIGN_OR_RETURN(const std::string key, MakePrivateKey());
  ASSIGN_OR_RETURN(const std::string certificate, MakeRoot(key, now));
  const std::string made = NameBeside(path);
  RETURN_IF_ERROR(WriteIdentity(made, key, certificate));
  const bool linked = ::link(made.c_str(), path.c_str()) == 0 || errno == EEXIST;
  const absl::Status failed = linked ? absl::OkStatus() : CannotWrite(path);
  ::unlink(made.c_str());
  return failed;
}

}  // namespace

absl::StatusOr<Authority> Authority::LoadOrCreate(const std::string& folder, absl::Time now) {
  std::error_code error;
  std::filesystem::create_directories(folder, error);
  const std::string path = folder + "/authority.key";
  if (!std::filesystem::exists(path, error)) RETURN_IF_ERROR(MakeFile(path, now));
  ASSIGN_OR_RETURN(std::string text, ReadSecretFile(path));
  const CertificateHandle certificate = ReadPem(text);
  if (ReadPrivateKey(text) == nullptr || certificate == nullptr) {
    return Error(absl::StatusCode::kDataLoss, "AUTHORITY_DAMAGED",
                 absl::StrCat(path,
                              " holds no key and certificate; restore it from a backup, or remove it and let all "
                              "drones join again"),
                 {{"path", path}});
  }
  ASSIGN_OR_RETURN(std::string pem, PemOf(*certificate));
  const std::string open = folder + "/authority.pem";
  if (!std::filesystem::exists(open, error)) {
    const std::string temporary = NameBeside(open);
    std::ofstream(temporary, std::ios::binary) << pem;
    if (std::rename(temporary.c_str(), open.c_str()) != 0) return CannotWrite(open);
  }
  return Authority(std::move(text), std::move(pem));
}

absl::StatusOr<std::string> Authority::Sign(const std::string& request, const CertificateTerms& terms) const {
  const RequestHandle asked = ReadRequest(request);
  if (asked == nullptr) return RequestInvalid("it is none in PEM");
  EVP_PKEY* key = X509_REQ_get0_pubkey(asked.get());
  char curve[32] = "";
  if (key == nullptr || EVP_PKEY_get_group_name(key, curve, sizeof(curve), nullptr) != 1 ||
      absl::string_view(curve) != "prime256v1") {
    return RequestInvalid("its key is not P-256");
  }
  if (X509_REQ_verify(asked.get(), key) != 1) return RequestInvalid("it is not signed with its own key");
  const KeyHandle own = ReadPrivateKey(private_key_);
  const CertificateHandle issuer = ReadPem(certificate_);
  const CertificateHandle made(X509_new());
  if (own == nullptr || issuer == nullptr || made == nullptr) return OpenSslError("sign a certificate");
  const char* usage = terms.usage == Usage::kClient ? "clientAuth" : "serverAuth,clientAuth";
  const absl::Duration skew = std::min(kClockSkew, (terms.not_after - terms.not_before) / 10);
  const bool good = X509_set_version(made.get(), X509_VERSION_3) == 1 && SetSerial(*made) &&
                    SetTimes(*made, terms.not_before - skew, terms.not_after) &&
                    X509_set_issuer_name(made.get(), X509_get_subject_name(issuer.get())) == 1 &&
                    X509_set_pubkey(made.get(), key) == 1 &&
                    AddExtension(*made, *issuer, NID_basic_constraints, "critical,CA:FALSE") &&
                    AddExtension(*made, *issuer, NID_key_usage, "critical,digitalSignature") &&
                    AddExtension(*made, *issuer, NID_ext_key_usage, usage) &&
                    AddExtension(*made, *issuer, NID_subject_alt_name, "critical," + NamesOf(terms)) &&
                    X509_sign(made.get(), own.get(), EVP_sha256()) > 0;
  if (!good) return OpenSslError("sign a certificate");
  return PemOf(*made);
}

}  // namespace chartly::x509
