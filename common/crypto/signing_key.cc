#include "common/crypto/signing_key.h"

#include <openssl/bio.h>
#include <openssl/evp.h>
#include <openssl/pem.h>

#include "absl/strings/str_cat.h"
#include "common/handle/handle.h"
#include "common/status/status.h"
#include "common/text/sha256.h"

namespace chartly {
namespace {

constexpr size_t kIdDigits = 16;

using Bio = std::unique_ptr<BIO, FreedBy<BIO_free>>;
using Context = std::unique_ptr<EVP_MD_CTX, FreedBy<EVP_MD_CTX_free>>;
using KeyContext = std::unique_ptr<EVP_PKEY_CTX, FreedBy<EVP_PKEY_CTX_free>>;

const unsigned char* Bytes(absl::string_view text) { return reinterpret_cast<const unsigned char*>(text.data()); }

absl::Status InvalidKeyBytes(absl::string_view message) {
  return Error(absl::StatusCode::kInvalidArgument, "KEY_INVALID", message);
}

// A key that OpenSSL gave out, or null.
absl::StatusOr<std::shared_ptr<EVP_PKEY>> TakeEd25519(EVP_PKEY* key, absl::string_view otherwise) {
  std::shared_ptr<EVP_PKEY> taken(key, EVP_PKEY_free);
  if (taken == nullptr || EVP_PKEY_id(taken.get()) != EVP_PKEY_ED25519) return InvalidKeyBytes(otherwise);
  return taken;
}

Bio ReaderOf(absl::string_view text) { return Bio(BIO_new_mem_buf(text.data(), static_cast<int>(text.size()))); }

// Without it, OpenSSL would ask for the password of an encrypted key on the terminal.
int NoPassword(char*, int, int, void*) { return -1; }

std::string TextOf(const Bio& bio) {
  char* data = nullptr;
  const long size = BIO_get_mem_data(bio.get(), &data);
  return std::string(data, static_cast<size_t>(size));
}

std::string RawBytes(const EVP_PKEY& key) {
  std::string bytes(PublicKey::kBytes, '\0');
  size_t size = bytes.size();
  EVP_PKEY_get_raw_public_key(&key, reinterpret_cast<unsigned char*>(bytes.data()), &size);
  return bytes;
}

}  // namespace

PublicKey::PublicKey(std::shared_ptr<EVP_PKEY> key)
    : key_(std::move(key)), bytes_(RawBytes(*key_)), id_(Sha256Hex(bytes_).substr(0, kIdDigits)) {}

absl::StatusOr<PublicKey> PublicKey::FromBytes(absl::string_view bytes) {
  if (bytes.size() != kBytes)
    return InvalidKeyBytes(absl::StrCat("a public key has ", kBytes, " bytes, not ", bytes.size()));
  ASSIGN_OR_RETURN(auto key, TakeEd25519(EVP_PKEY_new_raw_public_key(EVP_PKEY_ED25519, nullptr, Bytes(bytes), kBytes),
                                         "these bytes are no public key of Ed25519"));
  return PublicKey(std::move(key));
}

absl::StatusOr<PublicKey> PublicKey::FromPem(absl::string_view pem) {
  ASSIGN_OR_RETURN(auto key, TakeEd25519(PEM_read_bio_PUBKEY(ReaderOf(pem).get(), nullptr, NoPassword, nullptr),
                                         "there is no PUBLIC KEY of Ed25519 in the text"));
  return PublicKey(std::move(key));
}

absl::Status PublicKey::Verify(absl::string_view message, absl::string_view signature) const {
  Context context(EVP_MD_CTX_new());
  if (signature.size() == kSignatureBytes &&
      EVP_DigestVerifyInit(context.get(), nullptr, nullptr, nullptr, key_.get()) == 1 &&
      EVP_DigestVerify(context.get(), Bytes(signature), signature.size(), Bytes(message), message.size()) == 1) {
    return absl::OkStatus();
  }
  return Error(absl::StatusCode::kUnauthenticated, "SIGNATURE_INVALID",
               absl::StrCat("the signature was not made for this text with the key ", id_), {{"key", id_}});
}

std::string PublicKey::Pem() const {
  Bio bio(BIO_new(BIO_s_mem()));
  PEM_write_bio_PUBKEY(bio.get(), key_.get());
  return TextOf(bio);
}

absl::StatusOr<PrivateKey> PrivateKey::Generate() {
  KeyContext context(EVP_PKEY_CTX_new_id(EVP_PKEY_ED25519, nullptr));
  EVP_PKEY* key = nullptr;
  if (context == nullptr || EVP_PKEY_keygen_init(context.get()) != 1 || EVP_PKEY_keygen(context.get(), &key) != 1) {
    return absl::InternalError("no random bytes for a key");
  }
  return PrivateKey(std::shared_ptr<EVP_PKEY>(key, EVP_PKEY_free));
}

absl::StatusOr<PrivateKey> PrivateKey::FromSeed(absl::string_view seed) {
  if (seed.size() != kSeedBytes)
    return InvalidKeyBytes(absl::StrCat("a seed has ", kSeedBytes, " bytes, not ", seed.size()));
  ASSIGN_OR_RETURN(auto key,
                   TakeEd25519(EVP_PKEY_new_raw_private_key(EVP_PKEY_ED25519, nullptr, Bytes(seed), seed.size()),
                               "this seed gives no key of Ed25519"));
  return PrivateKey(std::move(key));
}

absl::StatusOr<PrivateKey> PrivateKey::FromPem(absl::string_view pem) {
  ASSIGN_OR_RETURN(auto key, TakeEd25519(PEM_read_bio_PrivateKey(ReaderOf(pem).get(), nullptr, NoPassword, nullptr),
                                         "there is no PRIVATE KEY of Ed25519 without a password in the text"));
  return PrivateKey(std::move(key));
}

std::string PrivateKey::Sign(absl::string_view message) const {
  Context context(EVP_MD_CTX_new());
  std::string signature(kSignatureBytes, '\0');
  size_t size = signature.size();
  EVP_DigestSignInit(context.get(), nullptr, nullptr, nullptr, public_.key_.get());
  EVP_DigestSign(context.get(), reinterpret_cast<unsigned char*>(signature.data()), &size, Bytes(message),
                 message.size());
  return signature;
}

std::string PrivateKey::Pem() const {
  Bio bio(BIO_new(BIO_s_secmem()));
  PEM_write_bio_PrivateKey(bio.get(), public_.key_.get(), nullptr, nullptr, 0, nullptr, nullptr);
  return TextOf(bio);
}

}  // namespace chartly
