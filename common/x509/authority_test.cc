#include "common/x509/authority.h"

#include <sys/stat.h>

#include <fstream>
#include <iterator>
#include <thread>
#include <vector>

#include "common/status/status.h"
#include "common/x509/certificate.h"
#include "test/support/test.h"

namespace chartly::x509 {
namespace {

const absl::Time kNow = absl::FromCivil(absl::CivilSecond(2026, 3, 1), absl::UTCTimeZone());

std::string ReadAll(const std::string& path) {
  std::ifstream file(path, std::ios::binary);
  return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
}

std::string Request() {
  auto key = MakePrivateKey();
  REQUIRE_OK(key);
  auto request = MakeRequest(*key);
  REQUIRE_OK(request);
  return *request;
}

CertificateTerms Terms() {
  CertificateTerms terms;
  terms.uri = "spiffe://chartly/drone/d1/e1";
  terms.not_before = kNow;
  terms.not_after = kNow + absl::Hours(24);
  return terms;
}

}  // namespace

TEST_CASE("an authority is made once, keeps its key to itself, and is read again") {
  testing::TempDir dir;
  auto made = Authority::LoadOrCreate(dir.path(), kNow);
  REQUIRE_OK(made);
  struct stat info;
  REQUIRE(::stat(dir.File("authority.key").c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(ReadAll(dir.File("authority.pem")) == made->certificate());
  CHECK(ReadAll(dir.File("authority.pem")).find("PRIVATE") == std::string::npos);
  auto read = Authority::LoadOrCreate(dir.path(), kNow + absl::Hours(1));
  REQUIRE_OK(read);
  CHECK(read->certificate() == made->certificate());
  ::chmod(dir.File("authority.key").c_str(), 0644);
  CHECK(Reason(Authority::LoadOrCreate(dir.path(), kNow).status()) == "KEY_FILE_OPEN");
  ::chmod(dir.File("authority.key").c_str(), 0600);
  std::ofstream(dir.File("authority.key")) << "nothing";
  CHECK(Reason(Authority::LoadOrCreate(dir.path(), kNow).status()) == "AUTHORITY_DAMAGED");
}

TEST_CASE("of processes that start at once on one folder all have the same authority") {
  testing::TempDir dir;
  std::vector<std::string> seen(8);
  std::vector<std::thread> threads;
  for (std::string& certificate : seen) {
    threads.emplace_back([&dir, &certificate] {
      auto authority = Authority::LoadOrCreate(dir.path(), kNow);
      if (authority.ok()) certificate = authority->certificate();
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK_FALSE(seen[0].empty());
  for (const std::string& certificate : seen) CHECK(certificate == seen[0]);
}

TEST_CASE("a certificate says who it is for and until when, whatever the request says") {
  testing::TempDir dir;
  auto authority = Authority::LoadOrCreate(dir.path(), kNow);
  REQUIRE_OK(authority);
  auto certificate = authority->Sign(Request(), Terms());
  REQUIRE_OK(certificate);
  auto facts = ReadCertificate(*certificate);
  REQUIRE_OK(facts);
  CHECK(facts->uri == "spiffe://chartly/drone/d1/e1");
  CHECK(facts->not_before == kNow - absl::Minutes(5));
  CHECK(facts->not_after == kNow + absl::Hours(24));
  auto other = authority->Sign(Request(), Terms());
  REQUIRE_OK(other);
  CHECK(*FingerprintOf(*other) != *FingerprintOf(*certificate));
}

TEST_CASE("what is no request, or is not signed with its own key, gets no certificate") {
  testing::TempDir dir;
  auto authority = Authority::LoadOrCreate(dir.path(), kNow);
  REQUIRE_OK(authority);
  CHECK(Reason(authority->Sign("", Terms()).status()) == "REQUEST_INVALID");
  CHECK(Reason(authority->Sign(authority->certificate(), Terms()).status()) == "REQUEST_INVALID");
  std::string request = Request();
  // The last characters before the padding of the last line belong to the signature.
  const size_t at = request.find("\n-----END") - 6;
  request[at] = request[at] == 'A' ? 'B' : 'A';
  CHECK(Reason(authority->Sign(request, Terms()).status()) == "REQUEST_INVALID");
}

TEST_CASE("an identity is replaced whole and is for its owner alone") {
  testing::TempDir dir;
  const std::string path = dir.File("identity.pem");
  REQUIRE_OK(WriteIdentity(path, "key 1\n", "certificate 1\n"));
  REQUIRE_OK(WriteIdentity(path, "key 2\n", "certificate 2\n"));
  CHECK(ReadAll(path) == "key 2\ncertificate 2\n");
  struct stat info;
  REQUIRE(::stat(path.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
  CHECK(Reason(WriteIdentity(dir.File("absent/identity.pem"), "k", "c")) == "IDENTITY_FILE_FAILED");
  CHECK(Reason(ReadCertificate("no certificate").status()) == "CERTIFICATE_INVALID");
}

}  // namespace chartly::x509
