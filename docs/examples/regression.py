import torch
import torch.nn.functional as F

torch.manual_seed(1)
x = torch.randn(256, 2)
truth = torch.tensor([3.0, -2.0])
y = (x * truth).sum(1, keepdim=True) + 1 + 0.1 * torch.randn(256, 1)

model = torch.nn.Linear(2, 1)
sgd = torch.optim.SGD(model.parameters(), lr=0.1)
for step in range(200):
    sgd.zero_grad()
    F.mse_loss(model(x), y).backward()
    sgd.step()
w = model.weight[0]
print(f"y = {w[0]:.2f} a + {w[1]:.2f} b + {model.bias.item():.2f}")
