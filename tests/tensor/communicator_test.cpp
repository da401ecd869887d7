#include "tensor/communicator.h"

#include <cstdlib>
#include <numeric>
#include <string>
#include <vector>

#include "tests/support/catch.h"
#include "tests/support/variables.h"

using namespace tk;
using test::Variables;

namespace {

std::vector<float> counted(std::int64_t n) {
  std::vector<float> values(static_cast<std::size_t>(n));
  std::iota(values.begin(), values.end(), 0.0f);
  return values;
}

}  // namespace

TEST_CASE("communicator: alone there is nobody to send to, and all is there") {
  CHECK(alone().is_first());
  CHECK(alone().size() == 1);
  const Tensor x = from_values(counted(6));
  alone().all_gather(x, std::vector<std::int64_t>{0, 6});
  alone().milestone()();
  CHECK(x.to_vector<float>() == counted(6));
  CHECK(broadcast(alone(), "text") == "text");
  CHECK(alone().bytes_sent() == 0);
  CHECK_THROWS_WITH(alone().exchange(std::vector<Message>{{0, x}}, {}), ContainsSubstring("expected another of the 1"));
  CHECK_THROWS_WITH(alone().all_gather(x, std::vector<std::int64_t>{0, 5}), ContainsSubstring("bounds of 1 parts"));
}

TEST_CASE("communicator: even bounds are at multiples of the step and leave nothing out") {
  CHECK(even_bounds(10, 3) == std::vector<std::int64_t>{0, 3, 6, 10});
  CHECK(even_bounds(100, 3, 16) == std::vector<std::int64_t>{0, 32, 64, 100});
  CHECK(even_bounds(5, 3, 16) == std::vector<std::int64_t>{0, 0, 0, 5});
  CHECK(even_bounds(0, 2) == std::vector<std::int64_t>{0, 0, 0});
}

TEST_CASE("communicator: Open MPI, Slurm and the program say how a process was started") {
  if (std::getenv("OMPI_COMM_WORLD_SIZE") != nullptr || std::getenv("PMIX_RANK") != nullptr) return;
  CHECK(launch_of_environment().by == Launch::By::kNobody);
  {
    const Variables of_one{{"OMPI_COMM_WORLD_SIZE", "1"}, {"OMPI_COMM_WORLD_RANK", "0"}};
    CHECK(launch_of_environment().by == Launch::By::kNobody);
  }
  {
    const Variables of_mpi{{"OMPI_COMM_WORLD_SIZE", "4"},
                           {"OMPI_COMM_WORLD_RANK", "3"},
                           {"OMPI_COMM_WORLD_LOCAL_RANK", "1"},
                           {"OMPI_COMM_WORLD_LOCAL_SIZE", "2"}};
    const Launch launch = launch_of_environment();
    CHECK(launch.by == Launch::By::kMpi);
    CHECK(std::vector{launch.rank, launch.size, launch.local_rank, launch.local_size} == std::vector{3, 4, 1, 2});
  }
  {
    const Variables of_slurm{{"PMIX_RANK", "5"}, {"SLURM_PROCID", "5"}, {"SLURM_NTASKS", "8"}, {"SLURM_LOCALID", "1"}};
    CHECK(launch_of_environment().rank == 5);
  }
  {
    const Variables of_program{{kIdVariable, "00"}, {"RANK", "1"}, {"WORLD_SIZE", "2"}, {"LOCAL_RANK", "1"}};
    CHECK(launch_of_environment().by == Launch::By::kProgram);
  }
  {
    const Variables wrong{{"OMPI_COMM_WORLD_SIZE", "two"}};
    CHECK_THROWS_WITH(launch_of_environment(),
                      ContainsSubstring("OMPI_COMM_WORLD_SIZE: expected a number, got \"two\""));
  }
}

// Run by mpirun: CMakeLists.txt.
TEST_CASE("communicator: what ranks send arrives where it is meant to", "[.ranks]") {
  const std::unique_ptr<Communicator> ranks =
      join_ranks(launch_of_environment(), Device::kCpu, std::chrono::seconds(60));
  const int size = ranks->size(), rank = ranks->rank();
  REQUIRE(size > 1);

  std::vector<Message> sends, receives;
  for (int other = 0; other < size; ++other) {
    if (other == rank) continue;
    for (int i = 0; i < 2; ++i) {  // two to each: they keep their order
      sends.push_back({other, full({1000}, 100 * rank + 10 * other + i)});
      receives.push_back({other, zeros({1000})});
    }
  }
  ranks->exchange(sends, receives);
  for (std::size_t i = 0; i < receives.size(); ++i) {
    const double expected = 100 * receives[i].rank + 10 * rank + static_cast<double>(i % 2);
    CHECK(receives[i].data.to_vector<float>() == std::vector<float>(1000, static_cast<float>(expected)));
  }
  CHECK(ranks->bytes_sent() == 2 * 4000 * (size - 1));

  // Rows, of which the first rank has none.
  std::vector<std::int64_t> bounds = {0};
  for (int i = 0; i < size; ++i) bounds.push_back(bounds.back() + i);
  const std::vector<float> expected = counted(3 * bounds.back());
  const Tensor all = from_values(expected, {bounds.back(), 3});
  const Tensor whole = zeros({bounds.back(), 3});
  whole.narrow(0, bounds[rank], rank).copy_from(all.narrow(0, bounds[rank], rank));
  ranks->all_gather(whole, bounds);
  CHECK(whole.to_vector<float>() == expected);

  CHECK(broadcast(*ranks, rank == 0 ? "the first rank's" : "another") == "the first rank's");
  CHECK(broadcast(*ranks, "").empty());
}
