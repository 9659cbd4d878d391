// When the certificate of a process is made anew, and what happens where that fails.
#include "control/identity/part_identity.h"

#include <sys/stat.h>

#include <filesystem>
#include <fstream>
#include <iterator>

#include "common/rpc/drone_identity.h"
#include "common/status/status.h"
#include "common/x509/certificate.h"
#include "test/support/test.h"

namespace chartly::control {
namespace {

constexpr absl::Duration kLife = absl::Hours(24);

struct Place {
  testing::TempDir dir;
  FakeClock clock;
  PartIdentityOptions options{dir.File("authority"), dir.File("own/registry.pem"), kLife};

  Place() { std::filesystem::create_directory(dir.File("own")); }
  std::unique_ptr<PartIdentity> Create() {
    auto made = PartIdentity::Create(options, clock);
    REQUIRE_OK(made);
    return *std::move(made);
  }
  static std::string Read(const std::string& path) {
    std::ifstream file(path, std::ios::binary);
    return std::string(std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>());
  }
  std::string Text() const { return Read(options.file); }
  x509::CertificateFacts Facts() const {
    auto facts = x509::ReadCertificate(Text());
    REQUIRE_OK(facts);
    return *facts;
  }
};

}  // namespace

TEST_CASE("a process has a certificate of its own, for itself alone, as soon as it is made") {
  Place place;
  auto identity = place.Create();
  CHECK(identity->files().authority == place.dir.File("authority/authority.pem"));
  CHECK(identity->files().certificate == place.options.file);
  CHECK(place.Facts().uri == rpc::kControlPlaneUri);
  CHECK(place.Facts().not_after == place.clock.Now() + kLife);
  struct stat info;
  REQUIRE(::stat(place.options.file.c_str(), &info) == 0);
  CHECK((info.st_mode & 0777) == 0600);
}

TEST_CASE("a certificate is made anew, with another key, at two thirds of its life and not before") {
  Place place;
  auto identity = place.Create();
  const std::string first = place.Text();
  place.clock.Advance(kLife * 2 / 3 - absl::Seconds(1));
  CHECK_OK(identity->RenewIfDue());
  CHECK(place.Text() == first);
  place.clock.Advance(absl::Seconds(1));
  CHECK_OK(identity->RenewIfDue());
  CHECK(place.Text() != first);
  CHECK(place.Text().substr(0, 200) != first.substr(0, 200));  // the key comes first
  CHECK(place.Facts().not_after == place.clock.Now() + kLife);
}

TEST_CASE("a clock that is set is followed by a certificate that is good") {
  const absl::Duration set = GENERATE(absl::Hours(-3), absl::Hours(24 * 400));
  Place place;
  auto identity = place.Create();
  place.clock.Advance(set);
  CHECK_OK(identity->RenewIfDue());
  CHECK(place.Facts().not_before <= place.clock.Now());
  CHECK(place.Facts().not_after == place.clock.Now() + kLife);
}

TEST_CASE("a certificate that cannot be written leaves the one before, is told, and is tried again") {
  Place place;
  auto identity = place.Create();
  const std::string aside = place.dir.File("aside");
  std::filesystem::rename(place.dir.File("own"), aside);
  place.clock.Advance(kLife * 2 / 3);
  CHECK(Reason(identity->RenewIfDue()) == "IDENTITY_FILE_FAILED");
  CHECK(testing::Says(identity->health(), place.options.file));
  std::filesystem::rename(aside, place.dir.File("own"));
  const std::string before = place.Text();
  CHECK_OK(identity->RenewIfDue());
  CHECK_OK(identity->health());
  CHECK(place.Text() != before);
}

TEST_CASE("an authority that is missed later is not made anew") {
  Place place;
  auto identity = place.Create();
  std::filesystem::remove_all(place.options.authority_dir);
  place.clock.Advance(kLife);
  CHECK_OK(identity->RenewIfDue());
  CHECK(place.Facts().not_after == place.clock.Now() + kLife);
  CHECK_FALSE(std::filesystem::exists(place.options.authority_dir));
}

TEST_CASE("processes that share an authority have certificates of one") {
  Place place;
  auto first = place.Create();
  const std::string authority = Place::Read(first->files().authority);
  place.options.file = place.dir.File("own/reporter.pem");
  auto second = place.Create();
  CHECK(Place::Read(second->files().authority) == authority);
}

TEST_CASE("a certificate is looked after in the background, and ends twice or unstarted without harm") {
  testing::TempDir dir;
  SystemClock clock;
  auto made = PartIdentity::Create({dir.File("tls"), dir.File("part.pem"), absl::Milliseconds(3000)}, clock);
  REQUIRE_OK(made);
  const std::string first = Place::Read(dir.File("part.pem"));
  (*made)->Start();
  CHECK(testing::Eventually([&] { return Place::Read(dir.File("part.pem")) != first; }));
  (*made)->Shutdown();
  (*made)->Shutdown();
  auto unstarted = PartIdentity::Create({dir.File("tls"), dir.File("part.pem"), kLife}, clock);
  REQUIRE_OK(unstarted);
  (*unstarted)->Shutdown();
}

}  // namespace chartly::control
