#include "common/crypto/signing_key.h"

#include <string>

#include "absl/strings/escaping.h"
#include "common/status/status.h"
#include "test/support/test.h"

namespace chartly {
namespace {

struct Vector {
  const char* seed;
  const char* public_key;
  const char* message;
  const char* signature;
};

// RFC 8032, section 7.1.
constexpr Vector kVectors[] = {
    {"9d61b19deffd5a60ba844af492ec2cc44449c5697b326919703bac031cae7f60",
     "d75a980182b10ab7d54bfed3c964073a0ee172f3daa62325af021a68f707511a", "",
     "e5564300c360ac729086e2cc806e828a84877f1eb8e5d974d873e065224901555fb8821590a33bacc61e39701cf9b46bd25bf5f0595bbe246"
     "55141438e7a100b"},
    {"4ccd089b28ff96da9db6c346ec114e0f5b8a319f35aba624da8cf6ed4fb8a6fb",
     "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c", "72",
     "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb"
     "00d291612bb0c00"},
    {"c5aa8df43f9f837bedb7442f31dcb7b166d38535076f094b85ce3a2e0b4458f7",
     "fc51cd8e6218a1a38da47ed00230f0580816ed13ba3303ac5deb911548908025", "af82",
     "6291d657deec24024827e69c3abe01a30ce548a284743a445e3680d7db5ac3ac18ff9b538d16f290ae67f760984dc6594a7c15e9716ed28dc"
     "027beceea1ec40a"},
    {"833fe62409237b9d62ec77587520911e9a759cec1d19755b7da901b96dca3d42",
     "ec172b93ad5e563bf4932c70e1245034c35467ef2efd4d64ebf819683467e2bf",
     "ddaf35a193617abacc417349ae20413112e6fa4e89a97ea20a9eeee64b55d39a2192992a274fc1a836ba3c23a3feebbd454d4423643ce80e2"
     "a9ac94fa54ca49f",
     "dc2a4459e7369633a52b1bf277839a00201009a3efbf3ecb69bea2186c26b58909351fc9ac90b3ecfdfbc7c66431e0303dca179c138ac17ad"
     "9bef1177331a704"},
};

std::string Bytes(const char* hex) { return absl::HexStringToBytes(hex); }

}  // namespace

TEST_CASE("keys and signatures are those of RFC 8032") {
  for (const Vector& vector : kVectors) {
    auto key = PrivateKey::FromSeed(Bytes(vector.seed));
    REQUIRE_OK(key);
    CHECK(key->public_key().bytes() == Bytes(vector.public_key));
    CHECK(key->Sign(Bytes(vector.message)) == Bytes(vector.signature));
    auto known = PublicKey::FromBytes(Bytes(vector.public_key));
    REQUIRE_OK(known);
    CHECK_OK(known->Verify(Bytes(vector.message), Bytes(vector.signature)));
    CHECK(*known == key->public_key());
  }
}

TEST_CASE("any changed bit of message or signature and any other key are refused") {
  auto key = PrivateKey::Generate();
  REQUIRE_OK(key);
  std::string message = "size 7";
  std::string signature = key->Sign(message);
  REQUIRE(signature.size() == kSignatureBytes);
  for (size_t bit = 0; bit < message.size() * 8; ++bit) {
    std::string changed = message;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CHECK(Reason(key->public_key().Verify(changed, signature)) == "SIGNATURE_INVALID");
  }
  for (size_t bit = 0; bit < signature.size() * 8; ++bit) {
    std::string changed = signature;
    changed[bit / 8] = static_cast<char>(changed[bit / 8] ^ (1 << (bit % 8)));
    CHECK_FALSE(key->public_key().Verify(message, changed).ok());
  }
  CHECK_FALSE(key->public_key().Verify(message, signature + "x").ok());
  CHECK_FALSE(key->public_key().Verify(message, "").ok());
  auto other = PrivateKey::Generate();
  REQUIRE_OK(other);
  CHECK_FALSE(other->public_key() == key->public_key());
  absl::Status refused = other->public_key().Verify(message, signature);
  CHECK(absl::IsUnauthenticated(refused));
  CHECK(Details(refused)["key"] == other->public_key().id());
}

TEST_CASE("a key survives its PEM text and has a name of 16 hex digits") {
  auto key = PrivateKey::FromSeed(Bytes(kVectors[0].seed));
  REQUIRE_OK(key);
  auto again = PrivateKey::FromPem(key->Pem());
  REQUIRE_OK(again);
  CHECK(again->Sign("a") == key->Sign("a"));
  auto known = PublicKey::FromPem(key->public_key().Pem());
  REQUIRE_OK(known);
  CHECK(*known == key->public_key());
  CHECK(known->id() == "21fe31dfa154a261");
}

TEST_CASE("what is no key of Ed25519 is refused without a word of its content") {
  CHECK(Reason(PrivateKey::FromSeed("short").status()) == "KEY_INVALID");
  CHECK(Reason(PublicKey::FromBytes(std::string(33, 'x')).status()) == "KEY_INVALID");
  CHECK(Reason(PublicKey::FromPem("hush").status()) == "KEY_INVALID");
  absl::Status status = PrivateKey::FromPem("-----BEGIN PRIVATE KEY-----\nhush\n-----END PRIVATE KEY-----\n").status();
  CHECK(Reason(status) == "KEY_INVALID");
  CHECK_FALSE(testing::Says(status, "hush"));
}

}  // namespace chartly
