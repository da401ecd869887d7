#include "transkimmer/cli/run/ranks.h"

#include <cstdlib>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/variables.h"
#include "transkimmer/cli/run/runtime.h"

namespace tk {
namespace {

using test::Variables;

constexpr const char* kGpus = "CUDA_VISIBLE_DEVICES";

std::string gpus() {
  const char* const value = std::getenv(kGpus);
  return value != nullptr ? value : "none";
}

TEST_CASE("ranks: each has its own GPU of the host as the first, and sees the others'") {
  const Variables second_of_three{{"OMPI_COMM_WORLD_SIZE", "6"},
                                  {"OMPI_COMM_WORLD_RANK", "4"},
                                  {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                                  {"OMPI_COMM_WORLD_LOCAL_SIZE", "3"}};
  const auto taken = [](const char* given) {
    const Variables visible{{kGpus, given}};
    RuntimeFlags runtime;
    take_share_of_host(runtime);
    return gpus();
  };
  CHECK(taken(nullptr) == "1,2,0");
  CHECK(taken("4,5,6,7") == "5,6,7,4");
  CHECK(taken("5") == "5");  // whoever started it has chosen
  CHECK_THROWS_WITH(taken("4,5"), ContainsSubstring("3 ranks on this host, and CUDA_VISIBLE_DEVICES names 2 GPUs"));
}

TEST_CASE("ranks: a process that runs others on several GPUs has one for each, as ranks have") {
  RankFlags flags;
  flags.ranks = 3;
  CHECK(gpus_of_ranks(flags, Device::kCuda) == std::vector<std::string>{"0,1,2", "1,2,0", "2,0,1"});
  const Variables visible{{kGpus, "4,6"}};
  CHECK_THROWS_WITH(gpus_of_ranks(flags, Device::kCuda), ContainsSubstring("3 ranks on this host, and CUDA_VISIBLE_"));
  flags.ranks = 2;
  CHECK(gpus_of_ranks(flags, Device::kCuda) == std::vector<std::string>{"4,6", "6,4"});
  CHECK_THROWS_WITH(gpus_of_ranks(flags, Device::kCpu), ContainsSubstring("are started by mpirun: mpirun -n 2"));
}

TEST_CASE("ranks: threads that were asked for stay, and a process alone is left as it is") {
  RuntimeFlags runtime;
  take_share_of_host(runtime);
  CHECK(runtime.threads == 0);
  CHECK(gpus() == "none");
  const Variables first_of_many{{"OMPI_COMM_WORLD_SIZE", "4096"}, {"OMPI_COMM_WORLD_LOCAL_SIZE", "4096"}};
  runtime.device = "cpu";
  take_share_of_host(runtime);
  CHECK(runtime.threads <= 1);  // 0 where the process is bound to cores
  runtime.threads = 3;
  take_share_of_host(runtime);
  CHECK(runtime.threads == 3);
  CHECK(gpus() == "none");
  CHECK_THROWS_WITH(check_is_alone("bench"), ContainsSubstring("one of 4096, and bench is for one"));
  leave_ranks();
  CHECK_NOTHROW(check_is_alone("bench"));
}

}  // namespace
}  // namespace tk
